import assert from "node:assert/strict";
import { test } from "node:test";

import { Conflicting, Invalid, Mintline, NotFound, Refused, TryLater, Unavailable } from "../src/index.ts";
import { BROKEN, problem, serve } from "./server.ts";

const REQUEST = { metadata: { name: "n", image: "ipfs://i" } };

test("a request that fails for a while is sent again with the same key", async (context) => {
  const busy = { ...problem(503, "overloaded"), headers: { "retry-after": "3" } };
  const server = await serve(context, BROKEN, busy, { status: 202, json: { mint_id: "mint_1" } });

  const mint = await server.client().mints.create(REQUEST);

  assert.equal(mint.mint_id, "mint_1");
  assert.equal(new Set(server.received.map(({ headers }) => headers["idempotency-key"])).size, 1);
  assert.deepEqual(
    server.received.map(({ method, path }) => `${method} ${path}`),
    Array(3).fill("POST /v1/mints"),
  );
  assert.equal(server.received[0]?.headers.authorization, "Bearer TOKEN");
  assert.deepEqual(JSON.parse(server.received[2]?.body ?? ""), REQUEST);
  const [first = 0, second] = server.slept;
  assert.ok(first >= 0.125 && first <= 0.25);
  assert.equal(second, 3);
});

test("a key of the caller's own names the request", async (context) => {
  const server = await serve(context, {});
  await server.client().mints.create(REQUEST, { idempotencyKey: "order-1" });
  assert.equal(server.received[0]?.headers["idempotency-key"], "order-1");
});

test("when all tries fail, the last failure is thrown", async (context) => {
  const busy = { ...problem(429, "too-many-writes"), headers: { "retry-after": "1" } };
  const server = await serve(context, ...Array(5).fill(busy), ...Array(5).fill(BROKEN));

  await assert.rejects(server.client().mints.get("m"), (error) => {
    assert.ok(error instanceof TryLater);
    assert.equal(error.problem.code, "too-many-writes");
    assert.equal(error.retryAfter, 1);
    return true;
  });
  await assert.rejects(server.client().mints.get("m"), (error) => {
    assert.ok(error instanceof Unavailable && !(error instanceof TryLater));
    assert.match(error.message, /^no answer from the API at http:/);
    return true;
  });
  assert.equal(server.received.length, 10);
});

test("a long Retry-After and an internal error end the tries", async (context) => {
  const server = await serve(context, { status: 503, headers: { "retry-after": "600" } }, { status: 500, text: "<html>" });
  await assert.rejects(server.client().mints.get("m"), TryLater);
  await assert.rejects(server.client().mints.get("m"), { name: "TryLater", message: "500: HTTP status 500" });
  assert.equal(server.received.length, 2);
});

for (const [status, kind] of [
  [404, NotFound],
  [409, Conflicting],
  [422, Invalid],
  [418, Refused],
] as const) {
  test(`a refusal by ${status} is thrown as ${kind.name} with its problem`, async (context) => {
    const errors = [{ pointer: "#/metadata/name", detail: "Too long." }];
    const server = await serve(context, problem(status, "slug", { errors }));
    await assert.rejects(server.client().mints.get("m"), (error) => {
      assert.ok(error instanceof kind);
      assert.equal(error.status, status);
      assert.deepEqual(error.problem.errors, errors);
      assert.equal(error.message, "slug: What is wrong.; #/metadata/name: Too long.");
      return true;
    });
    assert.equal(server.received.length, 1);
  });
}

test("a body that is no problem document is still an error of its status", async (context) => {
  const strange = [{ status: 404, text: "<html>" }, { status: 404, json: [1] }, { status: 404, json: { errors: [3], title: 4 } }];
  const server = await serve(context, ...strange);
  for (const _ of strange) {
    await assert.rejects(server.client().mints.get("m"), { name: "NotFound", message: "404: HTTP status 404" });
  }
});

test("a list is got page after page", async (context) => {
  const pages = [
    { items: [1, 2], next_cursor: "a/b" },
    { items: [], next_cursor: "c" },
    { items: [3], next_cursor: null },
  ];
  const server = await serve(context, ...pages.map((json) => ({ json })));
  const items: unknown[] = [];
  for await (const mint of server.client().mints.list({ status: "mined", externalId: "x y" })) items.push(mint);
  assert.deepEqual(items, [1, 2, 3]);
  const query = "/v1/mints?limit=100&status=mined&external_id=x+y";
  assert.deepEqual(
    server.received.map(({ path }) => path),
    [query, `${query}&cursor=a%2Fb`, `${query}&cursor=c`],
  );
});

test("what goes into a path is escaped", async (context) => {
  const server = await serve(context, {}, { status: 204, text: "" });
  await server.client().tokens.get("a/../b?", 2n ** 70n);
  await server.client().webhooks.delete("w#1");
  assert.deepEqual(
    server.received.map(({ path }) => path),
    ["/v1/tokens/a%2F..%2Fb%3F/1180591620717411303424", "/v1/webhooks/w%231"],
  );
});

test("an aborted call throws the signal's reason, also between tries", async (context) => {
  const server = await serve(context, BROKEN);
  const given = new AbortController();
  const client = server.client({
    token: "TOKEN",
    sleep: async (_, signal) => {
      given.abort(new Error("enough"));
      signal?.throwIfAborted();
    },
  });
  await assert.rejects(client.mints.get("m", { signal: given.signal }), { message: "enough" });
  await assert.rejects(client.mints.get("m", { signal: given.signal }), { message: "enough" });
  assert.equal(server.received.length, 1);
});

test("an answer that does not come in time is none", async (context) => {
  const server = await serve(context, () => undefined);
  const client = server.client({ token: "TOKEN", timeout: 0.05, retries: { tries: 1 } });
  await assert.rejects(client.mints.get("m"), Unavailable);
});

test("a redirect is not followed, and the token stays here", async (context) => {
  const other = await serve(context, {});
  const server = await serve(context, { status: 307, headers: { location: other.url } });
  await assert.rejects(server.client({ token: "TOKEN", retries: { tries: 1 } }).mints.get("m"), Unavailable);
  assert.equal(other.received.length, 0);
});

test("a caller is a token or a client with its secret", () => {
  assert.throws(() => new Mintline("http://x", { clientId: "a" }), TypeError);
  assert.throws(() => new Mintline("http://x", { clientId: "a", clientSecret: "b", token: "c" }), TypeError);
});
