import assert from "node:assert/strict";
import { test } from "node:test";

import { clientCredentials } from "../src/access.ts";
import { Unauthenticated } from "../src/index.ts";
import { problem, serve, type Server } from "./server.ts";

const granted = (token: string) => ({ json: { access_token: token, expires_in: 3600, token_type: "Bearer" } });

function credentials(server: Server, monotonic: () => number = () => 0) {
  const client = { clientId: "id", clientSecret: "secret" };
  return clientCredentials(fetch, server.url, client, { timeout: 5, monotonic });
}

test("a machine client's token is had where the deployment says, and used until shortly before its end", async (context) => {
  const server = await serve(context);
  server.answers.push({ json: { token_endpoint: `${server.url}/token` } }, granted("one"), granted("two"));
  let now = 0;
  const token = credentials(server, () => now);

  const first = await Promise.all([token({ fresh: false }), token({ fresh: false })]);
  now = 3539;
  first.push(await token({ fresh: false }));
  now = 3540;

  assert.deepEqual(first, ["one", "one", "one"]);
  assert.equal(await token({ fresh: false }), "two");
  assert.deepEqual(
    server.received.map(({ method, path }) => `${method} ${path}`),
    ["GET /.well-known/oauth-protected-resource", "POST /token", "POST /token"],
  );
  assert.equal(server.received[1]?.body, "grant_type=client_credentials");
  assert.equal(server.received[1]?.headers.authorization, `Basic ${btoa("id:secret")}`);
});

test("a token that is refused is replaced once", async (context) => {
  const server = await serve(context);
  const refused = problem(401, "unauthenticated");
  server.answers.push({ json: { token_endpoint: `${server.url}/token` } }, granted("one"), refused, granted("two"));
  server.answers.push({ json: { mint_id: "m" } }, refused, granted("three"), refused);
  const client = server.client({ clientId: "id", clientSecret: "secret" });

  assert.equal((await client.mints.get("m")).mint_id, "m");
  await assert.rejects(client.mints.get("m"), Unauthenticated);
  const used = server.received.filter(({ path }) => path === "/v1/mints/m").map(({ headers }) => headers.authorization);
  assert.deepEqual(used, ["Bearer one", "Bearer two", "Bearer two", "Bearer three"]);
});

test("a fixed token that is refused is not sent again", async (context) => {
  const server = await serve(context, problem(401, "unauthenticated"));
  await assert.rejects(server.client().mints.get("m"), Unauthenticated);
  assert.equal(server.received.length, 1);
});

test("credentials that are refused are, and an endpoint that fails is unavailable", async (context) => {
  const server = await serve(context, { status: 404, json: {} });
  await assert.rejects(credentials(server)({ fresh: false }), { name: "Unavailable", message: /is it a Mintline API/ });

  const endpoint = { json: { token_endpoint: `${server.url}/token` } };
  server.answers.push(endpoint, { status: 400, json: { error: "invalid_client" } }, { status: 502, text: "" });
  const token = credentials(server);
  await assert.rejects(token({ fresh: false }), { name: "Rejected", code: "sign_in_refused", message: /invalid_client/ });
  await assert.rejects(token({ fresh: false }), { name: "Unavailable", message: /was answered 502/ });

  server.answers.push({ status: 429, json: { message: "slower" } }, { status: 403, text: "<h1>Forbidden</h1>" });
  await assert.rejects(token({ fresh: false }), { name: "Unavailable", message: /was answered 429/ });
  await assert.rejects(token({ fresh: false }), { name: "Rejected", code: "sign_in_refused", message: /403/ });
});
