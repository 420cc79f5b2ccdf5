import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";

import { Rejected, TryLater, Unavailable } from "../src/index.ts";
import { BROKEN, problem, serve } from "./server.ts";

const mint = (status: string, problem: unknown = null) => ({ json: { mint_id: "m", status, problem } });

test("a mint is followed to its end", async (context) => {
  const server = await serve(context, mint("accepted"), mint("mined"), mint("finalized"));
  const heard: string[] = [];
  const ended = await server.client().mints.wait({ mint_id: "m" }, { heard: ({ status }) => heard.push(status) });
  assert.equal(ended.status, "finalized");
  assert.deepEqual(heard, ["accepted", "mined", "finalized"]);
});

test("a mint that ends badly is thrown with its reason, and one that does not end with its path", async (context) => {
  const server = await serve(context, mint("rejected", { code: "no_funds", reason: "No ether." }), mint("built"));
  const wait = (patience: number) => server.client().mints.wait({ mint_id: "m" }, { patience });
  await assert.rejects(wait(1), { name: "Rejected", code: "no_funds", message: "no_funds: No ether." });
  await assert.rejects(wait(-1), { name: "Unavailable", message: /\/v1\/mints\/m has not ended/ });
});

test("a request for many mints is followed until all have ended", async (context) => {
  const bulk = (statuses: Record<string, number>) => ({ json: { count: 3, statuses } });
  const server = await serve(context, bulk({ mined: 1, finalized: 2 }), bulk({ finalized: 2, rejected: 1 }));
  const ended = await server.client().mints.waitMany({ request_id: "b" });
  assert.deepEqual(ended.statuses, { finalized: 2, rejected: 1 });
});

test("a collection is followed until what is under way is mined", async (context) => {
  const change = (status: string) => ({ json: { contract: "0x1", deployment: null, change: { status, problem: null } } });
  const server = await serve(context, change("submitted"), change("mined"), change("reverted"));
  assert.equal((await server.client().collections.wait({ contract: "0x1" })).contract, "0x1");
  await assert.rejects(server.client().collections.wait({ contract: "0x1" }), { name: "Rejected", code: "reverted" });
});

test("an upload of lines that breaks off is continued where the drop stands", async (context) => {
  const offset = (bytes: number) => ({ json: { offset: bytes } });
  const server = await serve(context, offset(0), BROKEN, offset(4), { json: { accepted: 2 } });
  const lines = new Blob(['{"é"}\n']);
  const taken = await server.client().drops.upload("d", lines, { mediaType: "application/x-ndjson" });

  assert.equal(taken.accepted, 2);
  const [, first, , second] = server.received;
  assert.deepEqual([first?.headers["upload-offset"], first?.body], ["0", '{"é"}\n']);
  assert.deepEqual([second?.headers["upload-offset"], second?.body], ["4", '"}\n']);
  assert.equal(second?.headers["content-type"], "application/x-ndjson");
});

test("an upload goes on behind the bytes of a broken one that arrived since, and no other refusal passes", async (context) => {
  const broken = [{ json: { offset: 0 } }, BROKEN, { json: { offset: 0 } }, problem(409, "upload-offset"), { json: { offset: 2 } }];
  const refused = [problem(409, "lines-closed"), problem(409, "upload-offset")].flatMap((each) => [{ json: { offset: 2 } }, each]);
  const server = await serve(context, ...broken, { json: { accepted: 1 } }, ...refused);
  const upload = () => server.client().drops.upload("d", new Blob(["x\ny\n"]), { mediaType: "text/csv" });
  assert.equal((await upload()).accepted, 1);
  assert.deepEqual([server.received[5]?.headers["upload-offset"], server.received[5]?.body], ["2", "y\n"]);
  await assert.rejects(upload(), { code: "lines-closed" });
  await assert.rejects(upload(), { code: "upload-offset" });
});

test("an upload that keeps breaking off, or is not of this drop, ends", async (context) => {
  const stuck = Array.from({ length: 6 }, () => [{ json: { offset: 0 } }, { status: 503 }]).flat();
  const server = await serve(context, ...stuck, { json: { offset: 99 } });
  const upload = () => server.client().drops.upload("d", new Blob(["x\n"]), { mediaType: "text/csv" });
  await assert.rejects(upload(), TryLater);
  await assert.rejects(upload(), RangeError);
  assert.equal(server.received.length, 13);
});

test("a drop is run from where it stands, and one that is paused meanwhile says why", async (context) => {
  const drop = (status: string, paused: unknown = null) => ({ json: { status, paused, resumes_at: null } });
  const server = await serve(context, drop("draft"), {}, drop("preparing"), drop("prepared"), {}, drop("running"), drop("completed"));
  assert.equal((await server.client().drops.run("d")).status, "completed");
  assert.deepEqual(
    server.received.filter(({ method }) => method === "POST").map(({ path }) => path),
    ["/v1/drops/d/prepare", "/v1/drops/d/start"],
  );

  server.answers.push(drop("prepared"), {}, drop("paused", { code: "budget", reason: "Budget used up." }));
  await assert.rejects(server.client().drops.run("d"), (error) => {
    assert.ok(error instanceof Rejected);
    assert.equal(error.message, "drop_not_running: the drop is paused. Budget used up.");
    return true;
  });
});

test("a file is announced, put and completed", async (context) => {
  const server = await serve(context);
  const put = { url: `${server.url}/bucket/key`, headers: { "x-checksum": "1" } };
  server.answers.push({ json: { upload_id: "u", put } }, {}, { json: { upload_id: "u", status: "complete" } });
  const file = new Blob(["\x89PNG"], { type: "image/png" });

  assert.equal((await server.client().uploads.create(file)).status, "complete");
  const [announced, stored, completed] = server.received;
  const bytes = Buffer.from(await file.arrayBuffer());
  assert.deepEqual(JSON.parse(announced?.body ?? ""), {
    content_type: "image/png",
    size: bytes.length,
    sha256: `0x${createHash("sha256").update(bytes).digest("hex")}`,
  });
  assert.deepEqual([stored?.method, stored?.path, stored?.body], ["PUT", "/bucket/key", "\x89PNG"]);
  assert.equal(stored?.headers.authorization, undefined);
  assert.equal(completed?.path, "/v1/uploads/u/complete");

  server.answers.push({ json: { upload_id: "u", put } }, { status: 403 });
  await assert.rejects(server.client().uploads.create(file), Unavailable);
});

test("who has how much of an item is listed, and counted for one address", async (context) => {
  const holders = [{ owner: "0xa", quantity: "3" }];
  const server = await serve(context, { json: { items: holders, next_cursor: null } }, { json: { quantity: "3" } });
  const { tokens } = server.client();
  const listed = [];
  for await (const each of tokens.holders("0xc", 7n)) listed.push(each);
  const { quantity } = await tokens.balance("0xa", "0xc", 7n);

  assert.deepEqual([listed, quantity], [holders, "3"]);
  assert.deepEqual(
    server.received.map(({ path }) => path),
    ["/v1/tokens/0xc/7/holders?limit=100", "/v1/owners/0xa/balance?contract=0xc&token_id=7"],
  );
});

test("a redrive that names no letters is not sent again, as it would send others", async (context) => {
  const sent = { json: { queue: "build", redriven: ["a"], missing: [] } };
  const server = await serve(context, problem(503, "deadline-passed"), problem(503, "deadline-passed"), sent);
  const { pipeline } = server.client();

  await assert.rejects(pipeline.redrive({ queue: "build" }), TryLater);
  assert.equal(server.received.length, 1);
  assert.deepEqual((await pipeline.redrive({ queue: "build", message_ids: ["a"] })).redriven, ["a"]);
});

test("a secret that may have been made is not asked for again, as there would be another", async (context) => {
  const server = await serve(context, problem(503, "deadline-passed"), problem(503, "deadline-passed"));
  const { clients } = server.client();

  await assert.rejects(clients.create({ name: "shop" }), TryLater);
  await assert.rejects(clients.rotateSecret("shop"), TryLater);
  assert.deepEqual(
    server.received.map(({ path }) => path),
    ["/v1/clients", "/v1/clients/shop/secrets"],
  );
});

test("a call that reads ends with its signal", async (context) => {
  const server = await serve(context);
  const signal = AbortSignal.abort(new Error("gone"));
  const client = server.client();
  const reads = [
    client.wallets.get({ signal }),
    client.tokens.proof("0xc", 1, { signal }),
    client.tokens.version("0xc", 1, 2, { signal }),
    client.drops.refused("d", { signal }),
    client.webhooks.list({ signal }),
  ];
  for (const read of reads) await assert.rejects(read, { message: "gone" });
  assert.equal(server.received.length, 0);
});
