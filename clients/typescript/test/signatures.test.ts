import assert from "node:assert/strict";
import { generateKeyPairSync, randomBytes, sign } from "node:crypto";
import { test } from "node:test";

import { Webhook } from "standardwebhooks";

import { verifyWebhook } from "../src/index.ts";

const SECRET = `whsec_${randomBytes(32).toString("base64")}`;
const BODY = '{"id":"evt_1","data":{"name":"é"}}';
const NOW = 1_764_500_000;

function headersOf(signature: string, timestamp = NOW): Record<string, string> {
  return { "Webhook-Id": "evt_1", "webhook-timestamp": String(timestamp), "webhook-signature": signature };
}

function signed(secret = SECRET, body = BODY, timestamp = NOW): string {
  return new Webhook(secret).sign("evt_1", new Date(timestamp * 1000), body);
}

test("a delivery that another implementation of the convention signed is genuine", async () => {
  const event = await verifyWebhook(new TextEncoder().encode(BODY), headersOf(signed()), SECRET, { now: NOW + 300 });
  assert.equal(event.id, "evt_1");
  assert.deepEqual(await verifyWebhook(BODY, new Headers(headersOf(signed())), SECRET, { now: NOW }), event);
});

test("a delivery is genuine if one of several signatures is, as while a secret is rotated", async () => {
  const several = `v1,AAAA v1a,AAAA ${signed("whsec_AAAA")} ${signed()} v9,x`;
  await verifyWebhook(BODY, headersOf(several), SECRET, { now: NOW });
});

test("the example of the convention verifies", async () => {
  const headers = {
    "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
    "webhook-timestamp": "1614265330",
    "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
  };
  const secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
  await verifyWebhook('{"test": 2432232314}', headers, secret, { now: 1614265330 });
});

test("a public key verifies the asymmetric signature, and no other", async () => {
  const { publicKey, privateKey } = generateKeyPairSync("ed25519");
  const raw = publicKey.export({ format: "der", type: "spki" }).subarray(-32);
  const key = `whpk_${raw.toString("base64")}`;
  const signature = sign(null, Buffer.from(`evt_1.${NOW}.${BODY}`), privateKey).toString("base64");
  await verifyWebhook(BODY, headersOf(`${signed()} v1a,${signature}`), key, { now: NOW });
  for (const other of [`v1a,${signature.replace(/^./, (first) => (first === "A" ? "B" : "A"))}`, `v1,${signature}`, signed()]) {
    await assert.rejects(verifyWebhook(BODY, headersOf(other), key, { now: NOW }), { code: "webhook_forged" });
  }
});

test("a delivery that was changed, is too old or is not signed is refused", async () => {
  const forged = { code: "webhook_forged" };
  const now = { now: NOW };
  await assert.rejects(verifyWebhook(`${BODY} `, headersOf(signed()), SECRET, now), forged);
  await assert.rejects(verifyWebhook(BODY, headersOf(signed(), NOW + 1), SECRET, now), forged);
  await assert.rejects(verifyWebhook(BODY, headersOf(signed("whsec_AAAA")), SECRET, now), forged);
  for (const signature of ["", "v1", "v1,", "v1,%%%", "v1a,AAAA", signed().slice(0, -4)]) {
    await assert.rejects(verifyWebhook(BODY, headersOf(signature), SECRET, now), forged);
  }
  for (const distance of [-301, 301]) {
    const late = { now: NOW + distance };
    await assert.rejects(verifyWebhook(BODY, headersOf(signed()), SECRET, late), { code: "webhook_too_old" });
  }
  for (const missing of ["Webhook-Id", "webhook-timestamp"]) {
    const headers = { ...headersOf(signed()), [missing]: "" };
    await assert.rejects(verifyWebhook(BODY, headers, SECRET, now), { code: "webhook_unsigned" });
  }
});

test("a secret that is none is an error of the receiver's", async () => {
  await assert.rejects(verifyWebhook(BODY, headersOf(signed()), "whsec_%", { now: NOW }), TypeError);
});
