// Compiles the contracts with the solc of package-lock.json.
//
//   node contracts/build.mjs                      writes the committed artifacts
//   node contracts/build.mjs --check              exits 1 if a committed artifact is not what the sources give
//   node contracts/build.mjs --compile FILE.sol   prints the artifacts of another file (the tests' own contracts)
//
// Beside each artifact lies the compiler's standard JSON input, which services that verify deployed code take.
// The output depends on nothing but the sources, the settings and the compiler: source names are relative to the
// repository or to node_modules, and keys are sorted.

import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join, relative, resolve, sep } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), "..");
const CONTRACTS = ["MintlineCollection", "MintlineFactory", "MintlineClone", "MintlineMultiToken"];
const ARTIFACTS = "shared/src/mintline/chain/artifacts";

const sourceOf = (contract) => `contracts/src/${contract}.sol`;

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
  const isPackages = name.startsWith("@") || name.startsWith("solady/");
  const path = isPackages ? join(ROOT, "node_modules", name) : join(ROOT, name);
  if (!existsSync(path)) throw new BuildError(`no such source: ${name}`);
  return readFileSync(path, "utf8");
}

const sha256 = (text) => createHash("sha256").update(text, "utf8").digest("hex");

/** SHA-256 over the lines "<sha256 of the file>  <name>", sorted by name: what sha256sum would print. */
function hashOfSources(digests) {
  const lines = Object.keys(digests).sort().map((name) => `${digests[name]}  ${name}\n`);
  return sha256(lines.join(""));
}

/** Whether a warning is of Solady's older notation for memory-safe assembly, which this compiler still honours. */
const isPackagesNotation = ({ severity, errorCode, sourceLocation }) =>
  severity === "warning" && errorCode === "2424" && sourceLocation?.file.startsWith("solady/");

/** The contracts of a file, and the standard JSON input that gives them to any solc of the same version. */
function compile(solc, entry) {
  const contents = {};
  const read = (name) => (contents[name] = readSource(name));
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
  const errors = (output.errors ?? []).filter((error) => !isPackagesNotation(error));
  if (errors.length) throw new BuildError(errors.map((e) => e.formattedMessage).join("\n"));
  const digests = Object.fromEntries(Object.entries(contents).map(([name, content]) => [name, sha256(content)]));
  const artifacts = Object.entries(output.contracts[entry]).map(([name, contract]) => ({
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
  const sources = Object.fromEntries(Object.entries(contents).map(([name, content]) => [name, { content }]));
  return { artifacts, input: { ...input, sources } };
}

/** The committed files of a contract: their paths in the repository, and what they should hold. */
function filesOf(solc, contract) {
  const { artifacts, input } = compile(solc, sourceOf(contract));
  return [
    [`${ARTIFACTS}/${contract}.json`, artifacts.find((artifact) => artifact.contractName === contract)],
    [`${ARTIFACTS}/${contract}.input.json`, input],
  ];
}

function sorted(value) {
  if (Array.isArray(value)) return value.map(sorted);
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(Object.keys(value).sort().map((key) => [key, sorted(value[key])]));
}

const encode = (value) => `${JSON.stringify(sorted(value), null, 2)}\n`;

const outOfDate = (file, why) =>
  new BuildError(`${file} is out of date (${why}): run node contracts/build.mjs and commit it`);

function readCommitted(file) {
  const path = join(ROOT, file);
  if (!existsSync(path)) throw outOfDate(file, "it is missing");
  const text = readFileSync(path, "utf8");
  try {
    return { text, value: JSON.parse(text) };
  } catch {
    throw outOfDate(file, "it is not JSON");
  }
}

function checkFile(file, built) {
  const committed = readCommitted(file);
  if (committed.text === encode(built)) return;
  const keys = [...new Set([...Object.keys(committed.value), ...Object.keys(built)])].sort();
  const changed = keys.filter((key) => encode(committed.value[key] ?? null) !== encode(built[key] ?? null));
  throw outOfDate(file, changed.length ? `${changed.join(", ")} changed` : "its formatting changed");
}

function check(solc) {
  for (const contract of CONTRACTS) {
    for (const [file, built] of filesOf(solc, contract)) checkFile(file, built);
  }
}

function build(solc) {
  mkdirSync(join(ROOT, ARTIFACTS), { recursive: true });
  for (const contract of CONTRACTS) {
    const files = filesOf(solc, contract);
    for (const [file, built] of files) writeFileSync(join(ROOT, file), encode(built));
    const [[file, artifact]] = files;
    const bytes = (artifact.deployedBytecode.length - 2) / 2;
    console.log(`${file}: ${bytes} bytes of code, compiler ${artifact.compiler}`);
  }
}

async function main(args) {
  const [option, file] = args;
  const known = { undefined: 0, "--check": 1, "--compile": 2 };
  if (known[option] !== args.length) throw new BuildError("usage: node contracts/build.mjs [--check | --compile FILE.sol]");
  const solc = await loadCompiler();
  if (option === undefined) {
    build(solc);
  } else if (option === "--check") {
    check(solc);
  } else {
    const entry = relative(ROOT, resolve(file)).split(sep).join("/");
    process.stdout.write(encode(compile(solc, entry).artifacts));
  }
}

main(process.argv.slice(2)).catch((error) => {
  if (!(error instanceof BuildError)) throw error;
  console.error(error.message);
  process.exitCode = 1;
});
