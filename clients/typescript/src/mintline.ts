import { clientCredentials, type Credentials, type Fetch, type Token } from "./access.ts";
import { Clients, Pipeline, Users, Wallets } from "./accounts.ts";
import { Api, RETRIES, type Retries, sleep } from "./api.ts";
import { Collections } from "./collections.ts";
import { Drops } from "./drops.ts";
import { Events } from "./events.ts";
import { Mints } from "./mints.ts";
import { Burns, Transfers } from "./operations.ts";
import { Tokens } from "./tokens.ts";
import { Uploads } from "./uploads.ts";
import { Webhooks } from "./webhooks.ts";

const TIMEOUT_SECONDS = 60;

/** Who calls, and how: `token`, or a machine client's `clientId` with `clientSecret`. */
export interface MintlineOptions extends Partial<Credentials> {
  /** A user's or client's access token, or a function that returns one. */
  token?: string | Token | undefined;
  retries?: Partial<Retries> | undefined;
  /** Seconds, for each try of a request. */
  timeout?: number | undefined;
  /** Used instead of the platform's own. */
  fetch?: Fetch | undefined;
  /** Used between tries and readings instead of a timer. */
  sleep?: typeof sleep | undefined;
}

/** A deployment's API for one caller. */
export class Mintline {
  readonly mints: Mints;
  readonly drops: Drops;
  readonly collections: Collections;
  readonly tokens: Tokens;
  readonly transfers: Transfers;
  readonly burns: Burns;
  readonly wallets: Wallets;
  readonly users: Users;
  readonly clients: Clients;
  readonly pipeline: Pipeline;
  readonly uploads: Uploads;
  readonly events: Events;
  readonly webhooks: Webhooks;

  constructor(url: string, options: MintlineOptions = {}) {
    const base = url.replace(/\/+$/, "");
    const fetcher: Fetch = options.fetch ?? ((input, init) => fetch(input, init));
    const timeout = options.timeout ?? TIMEOUT_SECONDS;
    const token = tokenOf(fetcher, base, options, timeout);
    const api = new Api(fetcher, base, token, { ...RETRIES, ...options.retries }, timeout, options.sleep ?? sleep);
    this.mints = new Mints(api);
    this.drops = new Drops(api);
    this.collections = new Collections(api);
    this.tokens = new Tokens(api);
    this.transfers = new Transfers(api);
    this.burns = new Burns(api);
    this.wallets = new Wallets(api);
    this.users = new Users(api);
    this.clients = new Clients(api);
    this.pipeline = new Pipeline(api);
    this.uploads = new Uploads(api);
    this.events = new Events(api);
    this.webhooks = new Webhooks(api);
  }
}

function tokenOf(fetcher: Fetch, url: string, options: MintlineOptions, timeout: number): string | Token | undefined {
  const { token, clientId, clientSecret, tokenUrl } = options;
  if (clientId === undefined && clientSecret === undefined) return token;
  if (clientId === undefined || clientSecret === undefined || token !== undefined) {
    throw new TypeError("pass token, or clientId with clientSecret");
  }
  return clientCredentials(fetcher, url, { clientId, clientSecret, tokenUrl }, { timeout });
}
