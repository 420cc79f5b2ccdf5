/** A client of Mintline's API: `Mintline`, `verifyWebhook`, the errors, and the types of requests and responses. */

export type { Credentials, Fetch, Token } from "./access.ts";
export type { CallOptions, Retries, WriteOptions } from "./api.ts";
export {
  Conflicting,
  type Fault,
  Forbidden,
  Invalid,
  MintlineError,
  NotFound,
  type Problem,
  Refused,
  Rejected,
  TryLater,
  Unauthenticated,
  Unavailable,
} from "./errors.ts";
export type { EventOptions } from "./events.ts";
export { Mintline, type MintlineOptions } from "./mintline.ts";
export type * from "./schema.ts";
export { type HeadersLike, verifyWebhook } from "./signatures.ts";
export type { TokenId } from "./tokens.ts";
export type { WaitOptions } from "./waiting.ts";
