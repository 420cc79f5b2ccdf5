// Takes the API reference's script out of the locked redoc package.
//
//   node services/api/reference/vendor.mjs            writes it into the API's package, to be committed
//   node services/api/reference/vendor.mjs --check    exits 1 if the committed files are not what the package gives
//
// The script stands alone, so nothing of the package is installed: npm fetches the archive, and its SHA-512
// must be that of package-lock.json.
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const PACKAGE = join(import.meta.dirname, "../src/mintline_api/http/reference");
const LOGO = "https://cdn.redoc.ly/redoc/logo-mini.svg";
const { version, integrity } = JSON.parse(readFileSync(join(import.meta.dirname, "package-lock.json"), "utf8"))
  .packages["node_modules/redoc"];

function unpack(folder) {
  const [{ filename }] = JSON.parse(
    execFileSync("npm", ["pack", `redoc@${version}`, "--json", "--pack-destination", folder], { encoding: "utf8" }),
  );
  const archive = join(folder, filename);
  const digest = `sha512-${createHash("sha512").update(readFileSync(archive)).digest("base64")}`;
  if (digest !== integrity) throw new Error(`redoc ${version} is ${digest}, and package-lock.json says ${integrity}`);
  execFileSync("tar", ["-xzf", archive, "-C", folder]);
  return (name) => readFileSync(join(folder, "package", name), "utf8");
}

// The page loads nothing from other hosts: redoc leaves the picture beside its name out if it has none to show.
function withoutLogo(script) {
  const parts = script.split(LOGO);
  if (parts.length !== 2) throw new Error(`redoc ${version} names ${LOGO} ${parts.length - 1} times, not once`);
  return `${parts.join("data:,").replace(/\n\/\/# sourceMappingURL=\S+$/, "")}\n`;
}

const folder = mkdtempSync(join(tmpdir(), "redoc-"));
try {
  const read = unpack(folder);
  const files = {
    "redoc.standalone.js": withoutLogo(read("bundles/redoc.standalone.js")),
    "redoc.LICENSE.txt": `${read("LICENSE")}\n${read("bundles/redoc.standalone.js.LICENSE.txt")}`,
  };
  for (const [name, text] of Object.entries(files)) {
    const path = join(PACKAGE, name);
    if (process.argv[2] !== "--check") writeFileSync(path, text);
    else if (readFileSync(path, "utf8") !== text) throw new Error(`${name} differs: run vendor.mjs and commit it`);
  }
} catch (error) {
  console.error(`vendor: error: ${error.message}`);
  process.exitCode = 1;
} finally {
  rmSync(folder, { recursive: true });
}
