// Opens a page as a browser does and prints what it saw as JSON: node browse.mjs CHROMIUM WIDTH URL [SCREENSHOT]
import { chromium } from "playwright-core";

const [executablePath, width, url, path] = process.argv.slice(2);
const browser = await chromium.launch({ executablePath, args: ["--disable-background-networking"], timeout: 90_000 });
try {
  const page = await browser.newPage({ viewport: { width: Number(width), height: 850 } });
  page.setDefaultTimeout(90_000);
  const seen = { messages: [], requests: [] };
  page.on("console", (message) => seen.messages.push(`${message.type()}: ${message.text()}`));
  page.on("pageerror", (error) => seen.messages.push(`error: ${error}`));
  page.on("request", (request) => seen.requests.push(request.url()));
  await page.goto(url);
  await page.waitForSelector("dl, [data-section-id^='operation/'], [id^='operation/']");
  await page.waitForLoadState("networkidle");
  Object.assign(
    seen,
    await page.evaluate(() => ({
      url: location.href,
      ids: [...document.querySelectorAll("[id]")].map((element) => element.id),
      text: document.body.textContent,
      samples: [...document.querySelectorAll("[role=tab]")].map((tab) => tab.textContent),
      target: document.querySelector(":target")?.id ?? null,
      highlight: getComputedStyle(document.querySelector(":target") ?? document.body).backgroundColor,
      width: document.documentElement.scrollWidth,
      menuShown: [...document.querySelectorAll(".menu-content")].some((menu) => menu.getBoundingClientRect().width > 0),
      names: [...document.querySelectorAll(".property-name")].map((name) => name.textContent),
      brokenNames: [...document.querySelectorAll(".property-name")]
        .filter((name) => name.getClientRects().length > 1)
        .map((name) => name.textContent),
    })),
  );
  if (path) await page.screenshot({ path });
  console.log(JSON.stringify(seen));
} finally {
  await browser.close();
}
