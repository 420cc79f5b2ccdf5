// Compiles the collection with the solc of package-lock.json.
//
//   node contracts/build.mjs                      writes the committed artifact
//   node contracts/build.mjs --check              exits 1 if the committed artifact is not what the sources give
//   node contracts/build.mjs --compile FILE.sol   prints the artifacts of another file (the tests' own contracts)
//
// The output depends on nothing but the sources, the settings and the compiler: source names are relative to the
// repository or to node_modules, and keys are sorted.

import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join, relative, resolve, sep } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), "..");
const SOURCE = "contracts/src/MintlineCollection.sol";
const ARTIFACT = "shared/src/mintline/chain/artifacts/MintlineCollection.json";

const SETTINGS = {
  // Minting is what the contract is for, so run-time gas goes before the size of the code.
  optimizer: { enabled: true, runs: 10000 },
  // The IR pipeline saves 2 % of a batch and 1 % of a redemption, and makes no more code.
  viaIR: true,
  // The oldest EVM whose instructions the code uses; a newer one gives the same bytecode.
  evmVersion: "cancun",
  // No hash of the metadata in the bytecode: a changed comment leaves the bytecode as it is.
  metadata: { bytecodeHash: "none" },
};

class BuildError extends Error {}

async function loadCompiler() {
  try {
    return (await import("solc")).default;
  } catch (error) {
    if (error.code !== "ERR_MODULE_NOT_FOUND") throw error;
    throw new BuildError("solc is not installed: run npm ci --ignore-scripts");
  }
}

function readSource(name) {
  const path = name.startsWith("@") ? join(ROOT, "node_modules", name) : join(ROOT, name);
  if (!existsSync(path)) throw new BuildError(`no such source: ${name}`);
  return readFileSync(path, "utf8");
}

const sha256 = (text) => createHash("sha256").update(text, "utf8").digest("hex");

/** SHA-256 over the lines "<sha256 of the file>  <name>", sorted by name: what sha256sum would print. */
function hashOfSources(digests) {
  const lines = Object.keys(digests).sort().map((name) => `${digests[name]}  ${name}\n`);
  return sha256(lines.join(""));
}

function compile(solc, entry) {
  const digests = {};
  const read = (name) => {
    const content = readSource(name);
    digests[name] = sha256(content);
    return content;
  };
  const input = {
    language: "Solidity",
    sources: { [entry]: { content: read(entry) } },
    settings: {
      ...SETTINGS,
      outputSelection: {
        [entry]: { "*": ["abi", "evm.bytecode.object", "evm.deployedBytecode", "storageLayout"] },
      },
    },
  };
  const findImport = (name) => {
    try {
      return { contents: read(name) };
    } catch (error) {
      return { error: error.message };
    }
  };
  const output = JSON.parse(solc.compile(JSON.stringify(input), { import: findImport }));
  // A warning fails the build as well: either it is right, or the source says why it is not.
  if (output.errors?.length) throw new BuildError(output.errors.map((e) => e.formattedMessage).join("\n"));
  return Object.entries(output.contracts[entry]).map(([name, contract]) => ({
    contractName: name,
    compiler: solc.version(),
    settings: SETTINGS,
    sources: digests,
    sourceHash: hashOfSources(digests),
    abi: contract.abi,
    bytecode: `0x${contract.evm.bytecode.object}`,
    deployedBytecode: `0x${contract.evm.deployedBytecode.object}`,
    immutableReferences: contract.evm.deployedBytecode.immutableReferences,
    storageLayout: contract.storageLayout,
  }));
}

function sorted(value) {
  if (Array.isArray(value)) return value.map(sorted);
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(Object.keys(value).sort().map((key) => [key, sorted(value[key])]));
}

const encode = (value) => `${JSON.stringify(sorted(value), null, 2)}\n`;

const outOfDate = (why) =>
  new BuildError(`${ARTIFACT} is out of date (${why}): run node contracts/build.mjs and commit it`);

function readCommitted(path) {
  if (!existsSync(path)) throw outOfDate("it is missing");
  const text = readFileSync(path, "utf8");
  try {
    return { text, artifact: JSON.parse(text) };
  } catch {
    throw outOfDate("it is not JSON");
  }
}

function check(solc, path) {
  const committed = readCommitted(path);
  const [built] = compile(solc, SOURCE);
  if (committed.text === encode(built)) return;
  const keys = [...new Set([...Object.keys(committed.artifact), ...Object.keys(built)])].sort();
  const changed = keys.filter((key) => encode(committed.artifact[key] ?? null) !== encode(built[key] ?? null));
  throw outOfDate(changed.length ? `${changed.join(", ")} changed` : "its formatting changed");
}

function build(solc, path) {
  const [artifact] = compile(solc, SOURCE);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, encode(artifact));
  const bytes = (artifact.deployedBytecode.length - 2) / 2;
  console.log(`${ARTIFACT}: ${bytes} bytes of code, compiler ${artifact.compiler}`);
}

async function main(args) {
  const [option, file] = args;
  const known = { undefined: 0, "--check": 1, "--compile": 2 };
  if (known[option] !== args.length) throw new BuildError("usage: node contracts/build.mjs [--check | --compile FILE.sol]");
  const solc = await loadCompiler();
  const path = join(ROOT, ARTIFACT);
  if (option === undefined) {
    build(solc, path);
  } else if (option === "--check") {
    check(solc, path);
  } else {
    const entry = relative(ROOT, resolve(file)).split(sep).join("/");
    process.stdout.write(encode(compile(solc, entry)));
  }
}

main(process.argv.slice(2)).catch((error) => {
  if (!(error instanceof BuildError)) throw error;
  console.error(error.message);
  process.exitCode = 1;
});
