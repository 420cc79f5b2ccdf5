/** Wallets, recipients, machine clients, and the pipeline as operators see it. */

import { type Api, type CallOptions, path, type WriteOptions } from "./api.ts";
import type {
  ChallengeRequest,
  ChallengeView,
  ClientChange,
  ClientList,
  ClientRequest,
  ClientUseView,
  ClientView,
  CreatedClientView,
  LinkList,
  LinkRequest,
  LinkView,
  PipelineView,
  RedriveRequest,
  RedriveView,
  SecretView,
  UserView,
  WalletView,
} from "./schema.ts";

/** The user's wallets. Calls throw Refused for what the API refuses, and Unavailable. */
export class Wallets {
  constructor(private readonly api: Api) {}

  /** Returns the wallet in custody, made now if there was none. */
  get(options: CallOptions = {}): Promise<WalletView> {
    return this.api.get("/v1/wallet", {}, options);
  }

  /** Returns the wallets of the user's own that are linked. */
  links(options: CallOptions = {}): Promise<LinkList> {
    return this.api.get("/v1/wallet/links", {}, options);
  }

  /** Returns the text that a wallet of the user's own has to sign to be linked. */
  challenge(request: ChallengeRequest): Promise<ChallengeView> {
    return this.api.post("/v1/wallet/links/challenges", request);
  }

  /** Links a wallet of the user's own by the signed text. */
  link(request: LinkRequest): Promise<LinkView> {
    return this.api.post("/v1/wallet/links", request);
  }

  /** Forgets a linked wallet. */
  unlink(address: string): Promise<void> {
    return this.api.delete(path`/v1/wallet/links/${address}`);
  }
}

/** Users by e-mail address, as a machine client sees them; calls throw likewise. */
export class Users {
  constructor(private readonly api: Api) {}

  get(email: string, options: CallOptions = {}): Promise<UserView> {
    return this.api.get("/v1/users", { email }, options);
  }

  /** Returns the user of an e-mail address with a wallet, both made if they do not exist. */
  create(email: string): Promise<UserView> {
    return this.api.post("/v1/users", { email });
  }
}

/** The deployment's machine clients: `own` for one itself, the rest for administrators. */
export class Clients {
  constructor(private readonly api: Api) {}

  /** Returns the calling client: what it may do and has used. */
  own(options: CallOptions = {}): Promise<ClientUseView> {
    return this.api.get("/v1/client", {}, options);
  }

  /**
   * Creates a client; its secret is in this response only. It is tried once: another try could make a second client.
   * Without an answer, look in the list.
   */
  create(request: ClientRequest, options: WriteOptions = {}): Promise<CreatedClientView> {
    return this.api.post("/v1/clients", request, { ...options, tries: 1 });
  }

  list(options: CallOptions = {}): Promise<ClientList> {
    return this.api.get("/v1/clients", {}, options);
  }

  /** Returns a client with what it has used. */
  get(clientId: string, options: CallOptions = {}): Promise<ClientUseView> {
    return this.api.get(path`/v1/clients/${clientId}`, {}, options);
  }

  /** Changes a client's name, budget or status. */
  change(clientId: string, change: ClientChange): Promise<ClientView> {
    return this.api.patch(path`/v1/clients/${clientId}`, change);
  }

  delete(clientId: string): Promise<void> {
    return this.api.delete(path`/v1/clients/${clientId}`);
  }

  /**
   * Gives a client another secret, which is in this response only; the previous one stays valid. It is tried once:
   * another try could make a third secret, which drops the one in use.
   */
  rotateSecret(clientId: string): Promise<SecretView> {
    return this.api.post(path`/v1/clients/${clientId}/secrets`, undefined, { tries: 1 });
  }

  /** Ends the validity of a client's previous secret. */
  dropPreviousSecret(clientId: string): Promise<void> {
    return this.api.delete(path`/v1/clients/${clientId}/secrets/previous`);
  }
}

/** The pipeline as a whole, for administrators. */
export class Pipeline {
  constructor(private readonly api: Api) {}

  /** Returns queues, dead letters, blocks, what is under way longest, and how long the money for gas lasts. */
  get(options: CallOptions = {}): Promise<PipelineView> {
    return this.api.get("/v1/pipeline", {}, options);
  }

  /**
   * Sends dead letters back to the queue that they come from; name them by `message_ids`. Without ids the first 100
   * of the queue are sent, and another call sends the next: it is tried once.
   */
  redrive(request: RedriveRequest, options: CallOptions = {}): Promise<RedriveView> {
    const tries = request.message_ids ? undefined : 1;
    return this.api.post("/v1/pipeline/redrives", request, { ...options, tries });
  }
}
