import { type Api, type CallOptions, path, type WriteOptions } from "./api.ts";
import type { BulkRequest, BulkView, MintRequest, MintStatus, MintView, TransactionRequest } from "./schema.ts";
import { follow, followOperation, hasEnded, type WaitOptions } from "./waiting.ts";

/** Seconds within which the mints of a request end, or something is wrong. */
const LONG_PATIENCE = 300;

/** The caller's mints. Calls throw Refused for what the API refuses, and Unavailable. */
export class Mints {
  constructor(private readonly api: Api) {}

  /**
   * Asks for a mint, and returns it as accepted.
   *
   * The same idempotency key is the same mint; without one this call's own tries share a new one.
   */
  create(request: MintRequest, options: WriteOptions = {}): Promise<MintView> {
    return this.api.post("/v1/mints", request, options);
  }

  /** Asks for 1 to 250 mints of one collection, all or none, as a machine client. */
  createMany(request: BulkRequest, options: WriteOptions = {}): Promise<BulkView> {
    return this.api.post("/v1/mints/bulk", request, options);
  }

  get(mintId: string, options: CallOptions = {}): Promise<MintView> {
    return this.api.get(path`/v1/mints/${mintId}`, {}, options);
  }

  /** Yields the caller's mints, newest first, those of a status, a tag or an id of the caller's own. */
  list(
    filter: { status?: MintStatus; tag?: string; externalId?: string } = {},
    options: CallOptions = {},
  ): AsyncGenerator<MintView, void, undefined> {
    const query = { status: filter.status, tag: filter.tag, external_id: filter.externalId };
    return this.api.pages("/v1/mints", query, options);
  }

  /** Follows a mint until it is finalized; throws Rejected when it ends without a token. */
  wait(mint: { mint_id: string }, options: WaitOptions<MintView> = {}): Promise<MintView> {
    return followOperation(this.api, path`/v1/mints/${mint.mint_id}`, options);
  }

  /** Follows a request for many mints until all have ended; `statuses` says how. */
  waitMany(request: { request_id: string }, options: WaitOptions<BulkView> = {}): Promise<BulkView> {
    const allEnded = ({ statuses, count }: BulkView) =>
      Object.entries(statuses).reduce((sum, [status, number]) => sum + (hasEnded(status) ? number : 0), 0) === count;
    const patient = { ...options, patience: options.patience ?? LONG_PATIENCE };
    return follow(this.api, path`/v1/mints/bulk/${request.request_id}`, allEnded, patient, 0.5);
  }

  /** Ends a mint that is not on chain yet, or competes for its nonce; its later status says who won. */
  cancel(mintId: string): Promise<MintView> {
    return this.api.post(path`/v1/mints/${mintId}/cancel`);
  }

  /** Hands over the signed transaction of a mint with self-custody. */
  submitTransaction(mintId: string, request: TransactionRequest): Promise<MintView> {
    return this.api.post(path`/v1/mints/${mintId}/transaction`, request);
  }
}
