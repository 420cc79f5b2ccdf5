// Calls the API from a page of another origin and prints what it could read: node cross_origin.mjs CHROMIUM PAGE API TOKEN
import { chromium } from "playwright-core";

const [executablePath, pageUrl, api, token] = process.argv.slice(2);
const browser = await chromium.launch({ executablePath, args: ["--disable-background-networking"] });
try {
  const page = await browser.newPage();
  await page.goto(pageUrl);
  const seen = await page.evaluate(
    async ([api, token]) => {
      const body = JSON.stringify({ metadata: { name: "From a page", image: "https://example.com/x.png" } });
      const headers = { Authorization: `Bearer ${token}`, "Content-Type": "application/json", "Idempotency-Key": "page-1" };
      const read = async (request) => {
        try {
          const response = await request;
          return {
            status: response.status,
            location: response.headers.get("location"),
            trace: response.headers.get("traceresponse"),
            body: await response.json(),
          };
        } catch (error) {
          return { error: String(error) };
        }
      };
      return {
        origin: location.origin,
        document: await read(fetch(`${api}/.well-known/oauth-protected-resource`)),
        mint: await read(fetch(`${api}/v1/mints`, { method: "POST", headers, body })),
        refused: await read(fetch(`${api}/v1/wallet`)),
      };
    },
    [api, token],
  );
  console.log(JSON.stringify(seen));
} finally {
  await browser.close();
}
