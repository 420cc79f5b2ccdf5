// Mint an NFT and wait until it is final. Needs Node 20 and, for Node before 23.6, tsx.
//
//     MINTLINE_TOKEN=$(.venv/bin/mintline token) npx tsx examples/mint.ts

const API = process.env.MINTLINE_API_URL ?? "http://127.0.0.1:8080";
const TOKEN = process.env.MINTLINE_TOKEN;
const ATTEMPTS = 5;

type Mint = { mint_id: string; status: string; contract: string; token_id: string };
type Token = { contract: string; token_id: string; owner: string };

const pause = (seconds: number) => new Promise((resolve) => setTimeout(resolve, seconds * 1000));

/** Returns the JSON of a response; a busy API (429, 503) is asked again when it says. */
async function call<T>(method: string, path: string, body?: unknown, headers: Record<string, string> = {}): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    const response = await fetch(API + path, {
      method,
      headers: { authorization: `Bearer ${TOKEN}`, "content-type": "application/json", ...headers },
      body: body === undefined ? undefined : JSON.stringify(body),
      signal: AbortSignal.timeout(30_000),
    });
    if (response.ok) return (await response.json()) as T;
    if (![429, 503].includes(response.status) || attempt === ATTEMPTS) {
      throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`);
    }
    await pause(Number(response.headers.get("retry-after") ?? "1"));
  }
}

async function main(): Promise<void> {
  const metadata = { name: "Hello from TypeScript", image: "https://example.com/typescript.png" };
  // The key makes repeating the request harmless: store it with your own order before you send it.
  let mint = await call<Mint>("POST", "/v1/mints", { metadata }, { "idempotency-key": crypto.randomUUID() });
  while (!["finalized", "rejected", "reverted", "cancelled"].includes(mint.status)) {
    console.error(mint.status);
    await pause(0.5);
    mint = await call<Mint>("GET", `/v1/mints/${mint.mint_id}`, undefined, { prefer: "wait=10" });
  }
  if (mint.status !== "finalized") throw new Error(`${mint.mint_id} is ${mint.status}`);
  console.log(JSON.stringify(await call<Token>("GET", `/v1/tokens/${mint.contract}/${mint.token_id}`)));
}

await main();
