// Takes the console's library (Preact with its hooks and htm, in one module) out of the locked htm package.
//
//   node services/api/console/vendor.mjs            writes it into the API's package, to be committed
//   node services/api/console/vendor.mjs --check    exits 1 if the committed files are not what the package gives
//
// npm fetches the archive, and its SHA-512 must be that of package-lock.json.
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const STATIC = join(import.meta.dirname, "../src/mintline_api/features/console/static");
const { version, integrity } = JSON.parse(readFileSync(join(import.meta.dirname, "package-lock.json"), "utf8"))
  .packages["node_modules/htm"];
const folder = mkdtempSync(join(tmpdir(), "console-"));
try {
  const [{ filename }] = JSON.parse(
    execFileSync("npm", ["pack", `htm@${version}`, "--json", "--pack-destination", folder], { encoding: "utf8" }),
  );
  const archive = join(folder, filename);
  const digest = `sha512-${createHash("sha512").update(readFileSync(archive)).digest("base64")}`;
  if (digest !== integrity) throw new Error(`htm ${version} is ${digest}, and package-lock.json says ${integrity}`);
  execFileSync("tar", ["-xzf", archive, "-C", folder]);
  const read = (name) => readFileSync(join(folder, "package", name), "utf8");
  const files = {
    "preact.js": `// htm ${version} with Preact. Licences: preact.LICENSE.txt\n${read("preact/standalone.module.js")}\n`,
  };
  for (const [name, text] of Object.entries(files)) {
    const path = join(STATIC, name);
    if (process.argv[2] !== "--check") writeFileSync(path, text);
    else if (readFileSync(path, "utf8") !== text) throw new Error(`${name} differs: run vendor.mjs and commit it`);
  }
} catch (error) {
  console.error(`vendor: error: ${error.message}`);
  process.exitCode = 1;
} finally {
  rmSync(folder, { recursive: true });
}
