/**
 * Access tokens: had from a deployment's token endpoint, kept until shortly before they end.
 *
 * Source: RFC 6749, section 4.4; RFC 9728 (the document that says where a deployment's tokens are had).
 */

import { Rejected, Unavailable } from "./errors.ts";

/** Returns an access token; with `fresh` another one, as the last one was refused. */
export type Token = (options: { fresh: boolean }) => string | Promise<string>;

/** `fetch`, or what behaves like it. */
export type Fetch = (input: string, init: RequestInit) => Promise<Response>;

const METADATA_PATH = "/.well-known/oauth-protected-resource";
/** A token is renewed this long before its end. */
const EARLY_SECONDS = 60;

/** What a machine client's tokens are had by; never put a client's secret into a web page. */
export interface Credentials {
  clientId: string;
  clientSecret: string;
  /** Where tokens are had; asked of the deployment if absent. */
  tokenUrl?: string | undefined;
}

/** Returns a machine client's tokens: a valid one at each call. It throws Rejected or Unavailable. */
export function clientCredentials(
  fetcher: Fetch,
  url: string,
  credentials: Credentials,
  options: { timeout: number; monotonic?: () => number },
): (wanted: { fresh: boolean }) => Promise<string> {
  const monotonic = options.monotonic ?? (() => performance.now() / 1000);
  let endpoint = credentials.tokenUrl;
  let token = "";
  let until = -Infinity;
  let renewal: Promise<void> | undefined;

  const renew = async () => {
    endpoint ??= await discover(fetcher, url, options.timeout);
    const granted = await grant(fetcher, endpoint, credentials, options.timeout);
    token = granted.token;
    until = monotonic() + Math.max(granted.expiresIn - EARLY_SECONDS, 1);
  };
  return async ({ fresh }) => {
    if (fresh || monotonic() >= until) {
      // A call that comes while another one gets a new token takes that.
      renewal ??= renew().finally(() => {
        renewal = undefined;
      });
      await renewal;
    }
    return token;
  };
}

async function discover(fetcher: Fetch, url: string, timeout: number): Promise<string> {
  const address = url + METADATA_PATH;
  const { status, body } = await asked(fetcher, address, {}, timeout, "no sign-in document at");
  if (status !== 200 || typeof body.token_endpoint !== "string") {
    throw new Unavailable(`${address} was answered ${status} without a token_endpoint; is it a Mintline API?`);
  }
  return body.token_endpoint;
}

async function grant(
  fetcher: Fetch,
  endpoint: string,
  credentials: Credentials,
  timeout: number,
): Promise<{ token: string; expiresIn: number }> {
  const secret = new TextEncoder().encode(`${credentials.clientId}:${credentials.clientSecret}`);
  const init: RequestInit = {
    method: "POST",
    body: new URLSearchParams({ grant_type: "client_credentials" }),
    headers: { authorization: `Basic ${btoa(String.fromCharCode(...secret))}` },
  };
  const { status, body } = await asked(fetcher, endpoint, init, timeout, "no token endpoint at");
  if (status === 429 || status >= 500) throw new Unavailable(`the token endpoint at ${endpoint} was answered ${status}`);
  if (status !== 200 || typeof body.access_token !== "string") {
    throw new Rejected("sign_in_refused", `the token endpoint gives no token: ${body.error ?? status}`);
  }
  return { token: body.access_token, expiresIn: typeof body.expires_in === "number" ? body.expires_in : 3600 };
}

async function asked(
  fetcher: Fetch,
  address: string,
  init: RequestInit,
  timeout: number,
  failure: string,
): Promise<{ status: number; body: Record<string, unknown> }> {
  try {
    const signal = AbortSignal.timeout(timeout * 1000);
    const response = await fetcher(address, { ...init, redirect: "error", signal });
    // What refuses may say so in no JSON.
    const body: unknown = response.ok ? await response.json() : await response.json().catch(() => null);
    return { status: response.status, body: typeof body === "object" && body !== null ? { ...body } : {} };
  } catch (error) {
    throw new Unavailable(`${failure} ${address}: ${causeOf(error)}`);
  }
}

/** Returns why a `fetch` failed, in one line. */
export function causeOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error && error.cause.message ? error.cause.message : error.message || error.name;
}
