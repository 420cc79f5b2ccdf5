// Packs the client as it is published, into a folder: node pack.mjs FOLDER (`make packages`).
// Its version is that of the workspace, which the root's pyproject.toml holds.

import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

const here = import.meta.dirname ?? new URL(".", import.meta.url).pathname;
const root = join(here, "..", "..");
const target = resolve(process.argv[2] ?? join(root, "dist"));

/** Returns a version of Python's, such as 0.2.0rc1, as npm writes it. */
function semantic(version) {
  return version.replace(/\.?(dev|rc)(\d+)$/, "-$1.$2");
}

const version = /^version = "(.+)"$/m.exec(readFileSync(join(root, "pyproject.toml"), "utf8"))[1];
const staged = mkdtempSync(join(tmpdir(), "mintline-client-"));
try {
  const compiler = join(root, "node_modules", "typescript", "bin", "tsc");
  execFileSync(process.execPath, [compiler, "-p", join(here, "tsconfig.build.json"), "--outDir", join(staged, "dist")], {
    stdio: "inherit",
  });
  const described = JSON.parse(readFileSync(join(here, "package.json"), "utf8"));
  const { name, ...members } = described;
  writeFileSync(join(staged, "package.json"), JSON.stringify({ name, version: semantic(version), ...members }, null, 2));
  cpSync(join(here, "README.md"), join(staged, "README.md"));
  cpSync(join(root, "LICENSE"), join(staged, "LICENSE"));
  mkdirSync(target, { recursive: true });
  execFileSync("npm", ["pack", "--silent", "--pack-destination", target], { cwd: staged, stdio: "inherit" });
} finally {
  rmSync(staged, { recursive: true, force: true });
}
