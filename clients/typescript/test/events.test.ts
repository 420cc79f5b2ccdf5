import assert from "node:assert/strict";
import type { ServerResponse } from "node:http";
import { test } from "node:test";

import { Api, RETRIES } from "../src/api.ts";
import { Events } from "../src/events.ts";
import { Forbidden, type Mintline } from "../src/index.ts";
import { blocksOf } from "../src/sse.ts";
import { type Answer, problem, serve } from "./server.ts";

const event = (id: string) => `id: c${id}\nevent: mint.mined\ndata: {"id": "${id}"}\n\n`;

/** Answers with an event stream that then ends, breaks or stays open. */
function streamed(text: string, then: "ends" | "breaks" | "stays" = "ends"): Answer {
  return (_, response: ServerResponse) => {
    response.writeHead(200, { "content-type": "text/event-stream" });
    response.write(text, () => then === "breaks" && response.destroy());
    if (then === "ends") response.end();
  };
}

async function read(client: Pick<Mintline, "events">, count: number, after?: string): Promise<[string, string][]> {
  const found: [string, string][] = [];
  const given = new AbortController();
  for await (const [cursor, { id }] of client.events.stream({ after, types: ["a", "b"], signal: given.signal })) {
    found.push([cursor, id]);
    if (found.length === count) given.abort();
  }
  return found;
}

test("a stream that ends or breaks is continued after its last event", async (context) => {
  const server = await serve(context, streamed(event("1")), streamed(`: quiet\n\n${event("2")}`, "breaks"), streamed(event("3"), "stays"));

  assert.deepEqual(await read(server.client(), 3, "c0"), [["c1", "1"], ["c2", "2"], ["c3", "3"]]);
  assert.deepEqual(
    server.received.map(({ headers }) => headers["last-event-id"]),
    ["c0", "c1", "c2"],
  );
  assert.equal(server.received[0]?.path, "/v1/events?type=a%2Cb");
  assert.equal(server.received[0]?.headers.accept, "text/event-stream");
});

test("an administrator names whose log it is", async (context) => {
  const server = await serve(context, streamed(event("1"), "stays"));
  for await (const [cursor] of server.client().events.stream({ principal: "operators" })) {
    assert.equal(cursor, "c1");
    break;
  }
  assert.equal(server.received[0]?.path, "/v1/events?principal=operators");
});

test("a stream that breaks before its first event is continued where it began", async (context) => {
  const server = await serve(context, streamed("id: c5\n\n", "breaks"), streamed(event("6"), "stays"));
  assert.deepEqual(await read(server.client(), 1), [["c6", "6"]]);
  assert.deepEqual(
    server.received.map(({ headers }) => headers["last-event-id"]),
    [undefined, "c5"],
  );
});

test("a busy API is asked again when it says, and a token that ended is replaced", async (context) => {
  const busy = { ...problem(503, "overloaded"), headers: { "retry-after": "7" } };
  const server = await serve(context, busy, problem(401, "unauthenticated"), streamed(event("1"), "stays"));
  const asked: boolean[] = [];
  const token = ({ fresh }: { fresh: boolean }) => `token-${asked.push(fresh)}`;
  assert.deepEqual(await read(server.client({ token }), 1), [["c1", "1"]]);
  assert.deepEqual(server.slept, [7]);
  assert.deepEqual(asked, [false, false, true]);
});

test("a refusal ends the stream", async (context) => {
  const server = await serve(context, problem(403, "forbidden"));
  await assert.rejects(read(server.client(), 1), Forbidden);
});

test("a stream without a byte for too long is broken", async () => {
  let opened = 0;
  const silent = async (_: string, { signal }: RequestInit) => {
    const body = new ReadableStream({
      start(controller) {
        controller.enqueue(new TextEncoder().encode(event(`${++opened}`)));
        signal?.addEventListener("abort", () => controller.error(signal.reason));
      },
    });
    return new Response(body);
  };
  const api = new Api(silent, "http://api", "TOKEN", RETRIES, 5, async () => undefined);
  assert.deepEqual(await read({ events: new Events(api, 0.05) }, 2), [["c1", "1"], ["c2", "2"]]);
});

test("a log is read up to now, page after page", async (context) => {
  const server = await serve(
    context,
    { json: { events: [{ id: "1" }], next: "a", more: true } },
    { json: { events: [{ id: "2" }], next: "b", more: false } },
  );
  const ids: string[] = [];
  for await (const { id } of server.client().events.list({ types: ["mint.mined"] })) ids.push(id);
  assert.deepEqual(ids, ["1", "2"]);
  assert.deepEqual(
    server.received.map(({ path }) => path),
    ["/v1/events?type=mint.mined", "/v1/events?after=a&type=mint.mined"],
  );
});

test("a stream is read alike wherever its bytes are cut, and by any line ends", async () => {
  const text = "\r\nid: 1\r\ndata: a€\r\ndata:  b\r\rid:2\n: comment\nretry: 5\n\ndata\n\nid: 3\ndata: unfinished\n";
  const expected = [
    { id: "1", data: "a€\n b" },
    { id: "2", data: undefined },
    { id: "2", data: "" },
  ];
  const bytes = new TextEncoder().encode(text);
  for (const size of [1, 2, 3, bytes.length]) {
    const chunks = (async function* () {
      for (let at = 0; at < bytes.length; at += size) yield bytes.slice(at, at + size);
    })();
    const blocks: unknown[] = [];
    for await (const block of blocksOf(chunks)) blocks.push(block);
    assert.deepEqual(blocks, expected, `${size}`);
  }
});
