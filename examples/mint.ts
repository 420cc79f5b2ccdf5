// Mint an NFT and wait until it is final. Needs Node 20.3 and @mintline/client; Node before 23.6 needs tsx, too.
//
//     MINTLINE_TOKEN=$(.venv/bin/mintline token) npx tsx examples/mint.ts

import { Mintline, Refused } from "@mintline/client";

const url = process.env.MINTLINE_API_URL ?? "http://127.0.0.1:8080";
const mintline = new Mintline(url, { token: process.env.MINTLINE_TOKEN });

async function main(): Promise<void> {
  const metadata = { name: "Hello from TypeScript", image: "https://example.com/typescript.png" };
  // The key makes repeating the request harmless: store it with your own order before you send it.
  const mint = await mintline.mints.create({ metadata }, { idempotencyKey: crypto.randomUUID() });
  const minted = await mintline.mints.wait(mint, { heard: ({ status }) => console.error(status) });
  if (minted.token_id === null) throw new Error(`${minted.mint_id} has no token`);
  console.log(JSON.stringify(await mintline.tokens.get(minted.contract, minted.token_id)));
}

await main().catch((error: unknown) => {
  if (!(error instanceof Refused)) throw error;
  console.error(error.status, error.message);
  process.exitCode = 1;
});
