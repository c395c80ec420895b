/**
 * Compiles the contracts with the pinned npm compiler and writes what their callers, the tests and a trust policy
 * need of each as a generated module; with `--check` compares those modules instead of writing them.
 * Implements contracts/README.md, "The code hash".
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { keccak_256 } from '@noble/hashes/sha3.js';
import { bytesToHex, hexToBytes } from '@noble/hashes/utils.js';
import solc from 'solc';

const SOLC_VERSION = '0.8.37';

type Contract = {
  readonly name: string;
  /** All its state variables, in the order of their slots. */
  readonly variables: readonly string[];
  /** Those of them whose entries are proven. */
  readonly proven: readonly string[];
  /** The module that is written, beside the code that calls the contract. */
  readonly generated: string;
};

const ALL: readonly Contract[] = [
  {
    name: 'AnchorLog',
    variables: ['at'],
    proven: ['at'],
    generated: 'anchor-service/chain/anchor-log-abi.ts',
  },
  {
    name: 'VehicleRegistry',
    variables: ['epochs', 'keys', 'epochOf', 'offers'],
    proven: ['epochs', 'keys'],
    generated: 'owner/chain/vehicle-registry-abi.ts',
  },
  {
    name: 'GrantRegistry',
    variables: ['revocations'],
    proven: ['revocations'],
    generated: 'owner/chain/grant-registry-abi.ts',
  },
];
// solc announces `at` as a keyword of a later version; the contract is bound to this one.
const ACCEPTED_WARNINGS: readonly string[] = ['6335'];
const CONTRACTS = import.meta.dirname;
const REPOSITORY = join(CONTRACTS, '..');

const SETTINGS = {
  optimizer: { enabled: true, runs: 10_000 },
  // Older than the newest fork, so that the code runs on chains that lag behind it; a later target gives
  // the same bytes for this contract today, but nothing promises that.
  evmVersion: 'cancun',
  viaIR: false,
  // Without metadata the runtime code depends on the code alone, not on comments, paths or file endings.
  metadata: { appendCBOR: false, bytecodeHash: 'none' },
  outputSelection: {
    '*': {
      '*': [
        'abi',
        'evm.bytecode.object',
        'evm.deployedBytecode.object',
        'evm.deployedBytecode.immutableReferences',
        'storageLayout',
      ],
    },
  },
};

type CompilerOutput = {
  readonly errors?: readonly { readonly errorCode?: string; readonly formattedMessage: string }[];
  readonly contracts?: Readonly<Record<string, Readonly<Record<string, CompiledContract>>>>;
};

type CompiledContract = {
  readonly abi: readonly unknown[];
  readonly evm: {
    readonly bytecode: { readonly object: string };
    readonly deployedBytecode: {
      readonly object: string;
      readonly immutableReferences: Readonly<Record<string, unknown>>;
    };
  };
  readonly storageLayout: {
    readonly storage: readonly { readonly label: string; readonly slot: string }[];
  };
};

function readSources(): Record<string, { content: string }> {
  const paths = readdirSync(join(CONTRACTS, 'src'), { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.sol'))
    .sort();
  return Object.fromEntries(
    paths.map((path) => [
      `src/${path}`,
      { content: readFileSync(join(CONTRACTS, 'src', path), 'utf8') },
    ]),
  );
}

function compile(): NonNullable<CompilerOutput['contracts']> {
  const version = solc.version() as string;
  if (!version.startsWith(`${SOLC_VERSION}+`)) {
    throw new Error(`expected solc ${SOLC_VERSION}, got ${version}`);
  }
  const input = { language: 'Solidity', sources: readSources(), settings: SETTINGS };
  const output = JSON.parse(solc.compile(JSON.stringify(input)) as string) as CompilerOutput;
  const refused = (output.errors ?? []).filter(
    ({ errorCode }) => !ACCEPTED_WARNINGS.includes(errorCode ?? ''),
  );
  if (refused.length > 0) {
    throw new Error(refused.map(({ formattedMessage }) => formattedMessage).join('\n'));
  }
  return output.contracts ?? {};
}

function slotsOf(contract: CompiledContract, { name, variables }: Contract): readonly string[] {
  const { storage } = contract.storageLayout;
  if (storage.map(({ label }) => label).join() !== variables.join()) {
    throw new Error(`expected the state variables of ${name} to be ${variables.join(', ')}`);
  }
  return storage.map(({ slot }) => slot);
}

/** `AnchorLog` to `ANCHOR_LOG`. */
function constant(name: string): string {
  return name.replace(/(?<=[a-z])(?=[A-Z])/g, '_').toUpperCase();
}

function render(compiled: CompiledContract, contract: Contract): string {
  const { bytecode, deployedBytecode } = compiled.evm;
  const { name, variables, proven } = contract;
  if (Object.keys(deployedBytecode.immutableReferences).length > 0) {
    // Immutables are filled in at deployment, which would give every deployment another code hash.
    throw new Error('expected no immutables');
  }
  const codeHash = bytesToHex(keccak_256(hexToBytes(deployedBytecode.object)));
  const slots = slotsOf(compiled, contract);
  return [
    '/**',
    ` * What the chain knows of ${name}. Generated by contracts/compile.ts (solc ${SOLC_VERSION}); do not edit.`,
    ' * Implements contracts/README.md, "The code hash".',
    ' */',
    `export const ${constant(name)}_ABI = ${JSON.stringify(compiled.abi)} as const;`,
    '',
    '/** What a deployment sends; there are no constructor arguments. */',
    `export const ${constant(name)}_CREATION_CODE = '0x${bytecode.object}';`,
    '',
    '/** keccak256 of the code a deployment leaves on the chain; the `code hash` of a trust policy. */',
    `export const ${constant(name)}_CODE_HASH = '0x${codeHash}';`,
    '',
    '/** Slots of its mappings: an entry lies at keccak256(key . slot), once more for each further key. */',
    ...proven.map(
      (variable) =>
        `export const ${constant(name)}_${constant(variable)}_SLOT = ${slots[variables.indexOf(variable)]}n;`,
    ),
    '',
  ].join('\n');
}

function format(text: string, path: string): string {
  const biome = join(REPOSITORY, 'node_modules', '.bin', 'biome');
  const run = spawnSync(biome, ['format', `--stdin-file-path=${path}`], {
    cwd: REPOSITORY,
    input: text,
    encoding: 'utf8',
  });
  if (run.status !== 0) throw new Error(`biome did not format ${path}: ${run.stderr}`);
  return run.stdout;
}

const compiled = compile();
for (const contract of ALL) {
  const { name, generated } = contract;
  const own = compiled[`src/${name}.sol`]?.[name];
  if (own === undefined) throw new Error(`expected ${name} in src/${name}.sol`);
  const text = format(render(own, contract), generated);
  const path = join(REPOSITORY, generated);
  if (!process.argv.includes('--check')) {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
  } else if (!existsSync(path) || readFileSync(path, 'utf8') !== text) {
    process.stderr.write(
      `${generated} is not what contracts/src gives: run \`node contracts/compile.ts\`\n`,
    );
    process.exitCode = 1;
  }
}
