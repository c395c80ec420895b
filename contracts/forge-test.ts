/**
 * Runs the forge tests once and fails unless every test passed, the gas is what snapshots/ says, forge
 * tested the very code that the service deploys, and the sources are formatted. `--update` writes new gas
 * snapshots. Implements contracts/README.md, "Gas".
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { keccak_256 } from '@noble/hashes/sha3.js';
import { bytesToHex, hexToBytes } from '@noble/hashes/utils.js';
import { ANCHOR_LOG_CODE_HASH } from '../anchor-service/chain/anchor-log-abi.ts';
import { GRANT_REGISTRY_CODE_HASH } from '../owner/chain/grant-registry-abi.ts';
import { VEHICLE_REGISTRY_CODE_HASH } from '../owner/chain/vehicle-registry-abi.ts';

const CONTRACTS = import.meta.dirname;
// The program itself: npm's wrapper around it exits 0 whatever forge says.
const FORGE = join(
  CONTRACTS,
  `../node_modules/@foundry-rs/forge-${process.platform}-${process.arch === 'x64' ? 'amd64' : process.arch}`,
  'bin/forge',
);
/** Of each contract, the hash of the code that callers deploy and policies name. */
const CODE_HASHES: Readonly<Record<string, string>> = {
  AnchorLog: ANCHOR_LOG_CODE_HASH,
  GrantRegistry: GRANT_REGISTRY_CODE_HASH,
  VehicleRegistry: VEHICLE_REGISTRY_CODE_HASH,
};

type TestResult = {
  readonly status: 'Success' | 'Failure' | 'Skipped';
  readonly reason: string | null;
  readonly counterexample: unknown;
  readonly kind: {
    readonly Fuzz?: { readonly runs: number };
    readonly Invariant?: { readonly calls: number };
  };
  readonly gas_snapshots: Readonly<Record<string, Readonly<Record<string, string>> | undefined>>;
};
type Suites = Readonly<Record<string, { readonly test_results: Record<string, TestResult> }>>;

function forge(...args: readonly string[]): { stdout: string; stderr: string; ok: boolean } {
  const run = spawnSync(FORGE, args, {
    cwd: CONTRACTS,
    encoding: 'utf8',
    maxBuffer: 256 * 1024 * 1024,
  });
  if (run.error !== undefined) throw run.error;
  return { stdout: run.stdout, stderr: run.stderr, ok: run.status === 0 };
}

function runTests(): { suites: Suites; ok: boolean } {
  const { stdout, stderr, ok } = forge('test', '--json');
  // A failed test comes with its JSON, what did not compile with none.
  if (!stdout.startsWith('{')) throw new Error(`forge did not run the tests: ${stdout}${stderr}`);
  return { suites: JSON.parse(stdout) as Suites, ok };
}

function complaintsOfTests(suites: Suites): string[] {
  return Object.entries(suites).flatMap(([suite, { test_results }]) =>
    Object.entries(test_results)
      .filter(([, { status }]) => status !== 'Success')
      .map(
        ([test, { status, reason, counterexample }]) =>
          `${status}: ${suite} ${test}: ${reason ?? 'no reason'} ${JSON.stringify(counterexample)}`,
      ),
  );
}

/** forge checks snapshots itself, but neither with --json nor for entries that no test writes any more. */
function measuredGas(tests: readonly TestResult[], contract: string): string {
  const entries = tests.flatMap((test) => Object.entries(test.gas_snapshots[contract] ?? {}));
  entries.sort(([a], [b]) => (a < b ? -1 : 1));
  return JSON.stringify(Object.fromEntries(entries), null, 2);
}

function snapshotOf(contract: string): string {
  return join(CONTRACTS, 'snapshots', `${contract}.json`);
}

function complaintsOfGas(contract: string, measured: string): string[] {
  const path = snapshotOf(contract);
  if (existsSync(path) && readFileSync(path, 'utf8') === measured) return [];
  return [
    `expected the gas of ${path}, got\n${measured}\nif this is meant: node contracts/forge-test.ts --update`,
  ];
}

function complaintsOfCode(contract: string, expected: string): string[] {
  const path = join(CONTRACTS, 'out', `${contract}.sol`, `${contract}.json`);
  const artifact = JSON.parse(readFileSync(path, 'utf8')) as {
    deployedBytecode: { object: string };
  };
  const code = hexToBytes(artifact.deployedBytecode.object.slice(2));
  const codeHash = `0x${bytesToHex(keccak_256(code))}`;
  if (codeHash === expected) return [];
  return [
    `expected forge to test code hash ${expected} of ${contract}, got ${codeHash}: foundry.toml, compile.ts or the generated module differ`,
  ];
}

function complaintsOfFormat(): string[] {
  const { stdout, ok } = forge('fmt', '--check');
  return ok ? [] : [`not formatted, run \`forge fmt\` in contracts/:\n${stdout}`];
}

const { suites, ok } = runTests();
const tests = Object.values(suites).flatMap(({ test_results }) => Object.values(test_results));
const failures = complaintsOfTests(suites);
if (tests.length === 0) failures.push('expected tests, got none');
if (!ok && failures.length === 0) failures.push('forge failed beside its tests');
const complaints = [...failures, ...complaintsOfFormat()];
for (const [contract, codeHash] of Object.entries(CODE_HASHES)) {
  const measured = measuredGas(tests, contract);
  if (process.argv.includes('--update')) writeFileSync(snapshotOf(contract), measured);
  complaints.push(...complaintsOfGas(contract, measured), ...complaintsOfCode(contract, codeHash));
}
const countOf = (status: TestResult['status']): number =>
  tests.filter((test) => test.status === status).length;
const fuzzRuns = tests.reduce((sum, { kind }) => sum + (kind.Fuzz?.runs ?? 0), 0);
const invariantCalls = tests.reduce((sum, { kind }) => sum + (kind.Invariant?.calls ?? 0), 0);
process.stdout.write(
  `forge: ${countOf('Success')} passed, ${countOf('Failure')} failed, ${countOf('Skipped')} skipped (${fuzzRuns} fuzz runs, ${invariantCalls} invariant calls)\n`,
);
for (const complaint of complaints) process.stderr.write(`${complaint}\n`);
if (complaints.length > 0) process.exitCode = 1;
