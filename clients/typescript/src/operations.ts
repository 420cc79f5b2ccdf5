/** Transfers and burns of tokens in the caller's wallet in custody. */

import { type Api, type CallOptions, path, type WriteOptions } from "./api.ts";
import type { BurnOperationView, BurnRequest, TransferOperationView, TransferRequest } from "./schema.ts";
import { followOperation, type WaitOptions } from "./waiting.ts";

/** The caller's transfers. Calls throw Refused for what the API refuses, and Unavailable. */
export class Transfers {
  constructor(private readonly api: Api) {}

  /** Asks for a transfer; the same idempotency key is the same transfer. */
  create(request: TransferRequest, options: WriteOptions = {}): Promise<TransferOperationView> {
    return this.api.post("/v1/transfers", request, options);
  }

  get(transferId: string, options: CallOptions = {}): Promise<TransferOperationView> {
    return this.api.get(path`/v1/transfers/${transferId}`, {}, options);
  }

  /** Follows a transfer until it is final; throws Rejected if it fails. */
  wait(
    transfer: { transfer_id: string },
    options: WaitOptions<TransferOperationView> = {},
  ): Promise<TransferOperationView> {
    return followOperation(this.api, path`/v1/transfers/${transfer.transfer_id}`, options);
  }

  /** Ends a transfer that is not on chain yet. */
  cancel(transferId: string): Promise<TransferOperationView> {
    return this.api.post(path`/v1/transfers/${transferId}/cancel`);
  }
}

/** The caller's burns, likewise. */
export class Burns {
  constructor(private readonly api: Api) {}

  /** Asks for a burn; the same idempotency key is the same burn. */
  create(request: BurnRequest, options: WriteOptions = {}): Promise<BurnOperationView> {
    return this.api.post("/v1/burns", request, options);
  }

  get(burnId: string, options: CallOptions = {}): Promise<BurnOperationView> {
    return this.api.get(path`/v1/burns/${burnId}`, {}, options);
  }

  /** Follows a burn until it is final; throws Rejected if it fails. */
  wait(burn: { burn_id: string }, options: WaitOptions<BurnOperationView> = {}): Promise<BurnOperationView> {
    return followOperation(this.api, path`/v1/burns/${burn.burn_id}`, options);
  }

  /** Ends a burn that is not on chain yet. */
  cancel(burnId: string): Promise<BurnOperationView> {
    return this.api.post(path`/v1/burns/${burnId}/cancel`);
  }
}
