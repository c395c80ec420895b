// Where things are in this checkout, and which Node it is pinned to. Plain JavaScript: runs under Node 20
// before anything is installed.

import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The folder of package.json, wherever the program was started and through whatever link. */
export const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));

export const NODE_MODULES = join(ROOT, 'node_modules');

const NODE_PACKAGE = `node-linux-${process.arch}`;

/** The package that carries the pinned Node for this processor: its binary and its headers. */
export const NODE_HOME = join(NODE_MODULES, NODE_PACKAGE);

export const PINNED_NODE = join(NODE_HOME, 'bin', 'node');

/** A program that is the pinned Node with what an agent runs under. */
export const AGENT_NODE = join(ROOT, 'bootstrap', 'agent-node.sh');

/** @returns {string} the exact version of Node that package.json pins, such as `26.10.0` */
export function pinnedNodeVersion() {
  const version = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')).optionalDependencies[
    NODE_PACKAGE
  ];
  if (process.platform !== 'linux' || typeof version !== 'string') {
    throw new Error(`expected Linux on x64 or arm64, got ${process.platform} on ${process.arch}`);
  }
  return version;
}

/** A release has no sources, only what `npm run build` made of them, and no development packages. */
export function isRelease() {
  return !existsSync(join(ROOT, 'cli', 'main.ts')) && existsSync(join(ROOT, 'dist'));
}

/**
 * @param {string} source relative to the root, such as `cli/main.ts`
 * @returns {string} absolute path of the file to run for it
 */
export function runnable(source) {
  return isRelease() ? join(ROOT, 'dist', source.replace(/\.ts$/, '.js')) : join(ROOT, source);
}
