// A company's backend in TypeScript: argv is the API's address, a client's id and its secret; prints what it saw.

import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";

import { type EventView, Mintline, NotFound, Unauthenticated, verifyWebhook } from "@mintline/client";

const [url = "", clientId = "", clientSecret = ""] = process.argv.slice(2);
const mintline = new Mintline(url, { clientId, clientSecret });
const PICTURE =
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR4nGP4//8/AAX+Av6nNYGeAAAAAElFTkSuQmCC";

async function textOf(request: IncomingMessage): Promise<string> {
  let text = "";
  for await (const chunk of request.setEncoding("utf8")) text += chunk;
  return text;
}

/** Receives a webhook's test event, and verifies it by the secret and by the public key. */
async function webhook(): Promise<string[]> {
  const verified: string[] = [];
  const keys: string[] = [];
  let done = () => {};
  const received = new Promise<void>((resolve) => {
    done = resolve;
  });
  const server = createServer(async (request, response) => {
    const body = await textOf(request);
    for (const key of keys) verified.push((await verifyWebhook(body, request.headers, key)).type);
    response.writeHead(204).end();
    done();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const hook = await mintline.webhooks.create({
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hooks`,
    types: ["webhook.test"],
  });
  keys.push(hook.secret, hook.public_key);
  await mintline.webhooks.test(hook.webhook_id);
  await received;
  await mintline.webhooks.delete(hook.webhook_id);
  server.close();
  return verified;
}

/** Mints with an uploaded picture, and returns the mint and its events from the stream. */
async function mint() {
  const types = ["mint.accepted", "mint.finalized"];
  const enough = new AbortController();
  let after = "";
  for await (const _ of mintline.events.list()) break;
  after = (await mintline.events.read()).next;
  const picture = new Blob([Buffer.from(PICTURE, "base64")], { type: "image/png" });
  const upload = await mintline.uploads.create(picture);
  const request = {
    recipient: { email: `ann-${crypto.randomUUID()}@example.com` },
    metadata: { name: "Seat", image: `upload:${upload.upload_id}` },
  };
  const key = { idempotencyKey: crypto.randomUUID() };
  const accepted = await mintline.mints.create(request, key);
  const repeated = await mintline.mints.create(request, key);
  const events: EventView[] = [];
  for await (const [, event] of mintline.events.stream({ after, types, signal: enough.signal })) {
    if (event.resource.id === accepted.mint_id) events.push(event);
    if (events.length === types.length) enough.abort();
  }
  const ended = await mintline.mints.wait(accepted);
  return {
    same: repeated.mint_id === accepted.mint_id,
    status: ended.status,
    events: events.map(({ type }) => type),
    owner: (await mintline.tokens.get(ended.contract, ended.token_id ?? "")).owner,
    to: ended.to,
  };
}

/** Runs a drop of two lines, and returns how its mints ended. */
async function drop(): Promise<string[]> {
  const lines = ["ann", "bob"].map((name) =>
    JSON.stringify({
      recipient: { email: `${name}-${crypto.randomUUID()}@example.com` },
      metadata: { name: "Seat", image: "ipfs://bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi" },
    }),
  );
  const { drop_id } = await mintline.drops.create({ name: "Seats" });
  await mintline.drops.upload(drop_id, new Blob([`${lines.join("\n")}\n`]), { mediaType: "application/x-ndjson" });
  await mintline.drops.run(drop_id);
  const statuses: string[] = [];
  for await (const { status } of mintline.drops.mints(drop_id)) statuses.push(status);
  return statuses;
}

async function thrown(work: Promise<unknown>): Promise<string[]> {
  const error = await work.then(
    () => undefined,
    (failure: unknown) => failure,
  );
  return error instanceof NotFound || error instanceof Unauthenticated ? [error.name, error.problem.code] : [];
}

const refused = [
  await thrown(mintline.mints.get("mint_00000000000000000000000000")),
  await thrown(new Mintline(url, { token: "none" }).wallets.get()),
];
console.log(JSON.stringify({ webhook: await webhook(), mint: await mint(), drop: await drop(), refused }));
