#!/usr/bin/env node
// Gives forge the npm compiler under the command line of a native solc, so that nothing is downloaded
// and contracts and tests are built by the very compiler that compile.ts uses.
const solc = require('solc');

if (process.argv.includes('--version')) {
  // forge picks the version out of this text and refuses a platform that is no native one.
  const version = solc.version().replace('Emscripten.clang', 'Linux.g++');
  process.stdout.write(`solc, the solidity compiler commandline interface\nVersion: ${version}\n`);
} else {
  const chunks = [];
  process.stdin.on('data', (chunk) => chunks.push(chunk));
  process.stdin.on('end', () => {
    process.stdout.write(solc.compile(Buffer.concat(chunks).toString('utf8')));
  });
}
