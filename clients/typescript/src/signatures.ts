/**
 * Verifying what arrives at a webhook.
 *
 * Source: Standard Webhooks 1.0 (headers `webhook-id`, `webhook-timestamp`, `webhook-signature`; `v1` is HMAC-SHA256
 * by a secret `whsec_…`, `v1a` is Ed25519 by a public key `whpk_…`).
 */

import { Rejected } from "./errors.ts";
import type { EventView } from "./schema.ts";

/** Seconds by which a delivery's time may differ from the receiver's clock. */
const TOLERANCE = 300;
const SECRET = "whsec_";
const PUBLIC_KEY = "whpk_";

/** The headers of a request: those of `fetch`, or a plain object such as Node's. */
export type HeadersLike = Headers | Record<string, string | readonly string[] | undefined>;

/**
 * Returns the event in a delivery that is genuine; throws Rejected for any other.
 *
 * `body` are the exact bytes that arrived, or their text. `secret` is the webhook's secret (`whsec_…`) or its public
 * key (`whpk_…`). `now` are Unix seconds, the clock's if absent. The event's `id` is the same for a repeated
 * delivery: act once on it.
 */
export async function verifyWebhook(
  body: string | Uint8Array,
  headers: HeadersLike,
  secret: string,
  options: { now?: number; tolerance?: number } = {},
): Promise<EventView> {
  const [id, timestamp] = [headerOf(headers, "webhook-id"), headerOf(headers, "webhook-timestamp")];
  if (!id || !/^[0-9]+$/.test(timestamp)) {
    throw new Rejected("webhook_unsigned", "no valid webhook-id and webhook-timestamp headers");
  }
  const tolerance = options.tolerance ?? TOLERANCE;
  if (Math.abs((options.now ?? Date.now() / 1000) - Number(timestamp)) > tolerance) {
    throw new Rejected("webhook_too_old", `webhook-timestamp is more than ${tolerance} s from now`);
  }
  const content = typeof body === "string" ? new TextEncoder().encode(body) : body;
  const signed = joined(new TextEncoder().encode(`${id}.${timestamp}.`), content);
  const verify = await verifierOf(secret);
  for (const signature of headerOf(headers, "webhook-signature").split(" ")) {
    if (await verify(signature, signed)) return JSON.parse(new TextDecoder().decode(content)) as EventView;
  }
  throw new Rejected("webhook_forged", "no signature in webhook-signature is by this secret");
}

type Bytes = Uint8Array<ArrayBuffer>;

async function verifierOf(secret: string): Promise<(signature: string, signed: Bytes) => Promise<boolean>> {
  const asymmetric = secret.startsWith(PUBLIC_KEY);
  const raw = bytesOf(secret.slice(asymmetric ? PUBLIC_KEY.length : secret.startsWith(SECRET) ? SECRET.length : 0));
  if (!raw?.length) throw new TypeError("the secret is no base64 after whsec_ or whpk_");
  const algorithm = asymmetric ? "Ed25519" : { name: "HMAC", hash: "SHA-256" };
  const key = await crypto.subtle.importKey("raw", raw, algorithm, false, ["verify"]);
  const prefix = asymmetric ? "v1a," : "v1,";
  return async (signature, signed) => {
    const value = signature.startsWith(prefix) ? bytesOf(signature.slice(prefix.length)) : undefined;
    // WebCrypto compares MACs in constant time.
    return value !== undefined && crypto.subtle.verify(asymmetric ? "Ed25519" : "HMAC", key, value, signed);
  };
}

function headerOf(headers: HeadersLike, name: string): string {
  if (headers instanceof Headers) return headers.get(name) ?? "";
  const value = Object.entries(headers).find(([given]) => given.toLowerCase() === name)?.[1];
  return typeof value === "string" ? value : (value?.join(" ") ?? "");
}

function bytesOf(base64: string): Bytes | undefined {
  try {
    return Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
  } catch {
    return undefined;
  }
}

function joined(first: Uint8Array, second: Uint8Array): Bytes {
  const both = new Uint8Array(first.length + second.length);
  both.set(first);
  both.set(second, first.length);
  return both;
}
