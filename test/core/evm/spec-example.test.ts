import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { asciiBytes, fromHex, toHex } from '../../../core/bytes.ts';
import { decodeBlockHeader } from '../../../core/evm/block-header.ts';
import { HISTORY_ADDRESS } from '../../../core/evm/header-link.ts';
import { NodePool, sortNodes } from '../../../core/evm/node-pool.ts';
import { padTo32, quantityBytes } from '../../../core/evm/quantity.ts';
import { anchorSlot, proveAccount, proveStorage } from '../../../core/evm/state-proof.ts';
import { sha256 } from '../../../core/hash.ts';

const page = readFileSync(join(import.meta.dirname, '../../../spec/evm-proofs.md'), 'utf8');
const blocks = [...page.matchAll(/```hex (\S+)\n([0-9a-f\n]+)```/g)].map(
  ([, name = '', hex = '']) => ({ name, bytes: fromHex(hex.replaceAll('\n', '')) }),
);

it('the example of spec/evm-proofs.md proves what it says, with the bytes it shows', () => {
  const [header, ...nodes] = blocks.map(({ bytes }) => bytes);
  const { hash, stateRoot, number, timestamp } = decodeBlockHeader(header ?? new Uint8Array());
  expect(page).toContain(`\n${toHex(hash)}\n`);
  expect([number, timestamp]).toEqual([20_040n, 1_700_000_480n]);

  const pool = new NodePool(sortNodes(nodes));
  const anchorLog = fromHex('5fbdb2315678afecb367f032d93f642f64180aa3');
  const publisher = fromHex('f39fd6e51aad88f6f4ce6ab8827279cfffb92266');
  const slot = anchorSlot(publisher, 3n);
  expect(page).toContain(toHex(slot));
  const contract = proveAccount(stateRoot, anchorLog, pool);
  const word = proveStorage(contract?.storageRoot ?? slot, slot, pool);
  expect(word).toEqual(sha256(asciiBytes('window 3')));
  expect(page).toContain(`\n${toHex(word)}\n`);

  const history = proveAccount(stateRoot, HISTORY_ADDRESS, pool);
  const ringSlot = padTo32(quantityBytes(20_005n % 8191n));
  const older = proveStorage(history?.storageRoot ?? ringSlot, ringSlot, pool);
  expect(page).toContain(`the value is \`${toHex(older)}\`: the hash of block 20005`);
  pool.requireAllUsed();
});
