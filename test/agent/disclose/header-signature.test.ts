import { expect, test } from 'vitest';
import { needsSignature } from '../../../agent/disclose/header-signature.ts';

const closed = { isOpened: false, isRecovered: false, session: 'a', statementSession: 'a' };

test('a closed header under the statement of its own session leaves its signature out', () => {
  expect(needsSignature(closed)).toBe(false);
});

test.each([
  ['opened', { isOpened: true }],
  ['recovered', { isRecovered: true }],
  ['without a statement', { statementSession: undefined }],
  ['under the statement of a later session', { statementSession: 'b' }],
])('a header %s carries its signature', (_, change) => {
  expect(needsSignature({ ...closed, ...change })).toBe(true);
});
