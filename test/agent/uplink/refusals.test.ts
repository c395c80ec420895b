import { afterEach, beforeEach, expect, test } from 'vitest';
import { Refusals } from '../../../agent/uplink/refusals.ts';
import { type TemporaryFolder, temporaryFolder } from '../support/temporary-folder.ts';
import { TestUnit } from '../support/unit.ts';

const STATEMENTS = 5;
let folder: TemporaryFolder;
let unit: TestUnit;
let refusals: Refusals;

beforeEach(() => {
  folder = temporaryFolder();
  unit = new TestUnit(folder.path);
  for (let i = 0; i < STATEMENTS; i++) unit.addStatement();
  refusals = new Refusals(unit.spool);
});
afterEach(() => {
  unit.spool.close();
  folder[Symbol.dispose]();
});

function idOf(seq: number): Uint8Array {
  const [statement] = unit.spool.statements(0, seq, seq);
  if (statement === undefined) throw new Error(`no statement ${seq}`);
  return statement.id;
}

const refuse = (seq: number, code: string): boolean =>
  refusals.take({ recordId: idOf(seq), code, detail: '' });
const waiting = () => unit.spool.unacceptedStatements(9).map(({ seq }) => seq);
const aside = () => unit.spool.asideStatements(undefined, 9).map(({ seq }) => seq);
const again = (limit: number) => refusals.again(limit).map(({ seq }) => seq);

test.each([
  'STATEMENT_PRUNED',
  'STATEMENT_FORK',
  'STATEMENT_NOT_CONTIGUOUS',
  'STATEMENT_PREVIOUS_ID',
  'SIGNATURE_INVALID',
  'MESSAGE_TOO_LARGE',
  'A_CODE_OF_LATER',
])('%s puts a statement behind the others, also after a restart', (code) => {
  expect(refuse(1, code)).toBe(true);
  expect([waiting(), aside()]).toEqual([[0, 2, 3, 4], [1]]);
  expect(unit.spool.waitingCount()).toBe(STATEMENTS - 1);
  unit.spool.close();
  unit = new TestUnit(folder.path, unit.device);
  expect([waiting(), aside()]).toEqual([[0, 2, 3, 4], [1]]);
});

test.each(['TOO_MANY_MESSAGES', 'SESSION_UNKNOWN'])('%s does not', (code) => {
  expect(refuse(1, code)).toBe(false);
  expect([waiting().length, aside()]).toEqual([STATEMENTS, []]);
});

test('statements of a session that is refused itself go behind those of others', () => {
  const session = unit.spool.session(0, 0)?.id ?? new Uint8Array();
  refusals.sessionSent('0/0', session);
  refusals.take({ recordId: session, code: 'FIELD_VALUE', detail: '' });
  expect(refuse(0, 'SESSION_UNKNOWN')).toBe(true);
  expect(aside()).toEqual([0]);
  refusals.restart();
  expect(refuse(1, 'SESSION_UNKNOWN'), 'not said on this connection').toBe(false);
});

test('a unit that is not enrolled puts nothing aside', () => {
  const session = unit.spool.session(0, 0)?.id ?? new Uint8Array();
  refusals.sessionSent('0/0', session);
  refusals.take({ recordId: session, code: 'DEVICE_UNKNOWN', detail: '' });
  expect(refuse(0, 'SESSION_UNKNOWN')).toBe(false);
  expect(aside()).toEqual([]);
});

test('what is put aside has its turn once on each later connection, in portions', () => {
  for (const seq of [0, 2, 4]) refuse(seq, 'STATEMENT_PRUNED');
  expect(again(1), 'refused on this one').toEqual([]);
  refusals.restart();
  expect([again(0), again(2), again(2), again(2)]).toEqual([[], [0, 2], [4], []]);
  refusals.restart();
  refuse(0, 'STATEMENT_PRUNED');
  expect(again(1)).toEqual([2]);
});

test('an acceptance or a receipt ends it, and a refusal of what was accepted begins nothing', () => {
  refuse(0, 'STATEMENT_PRUNED');
  refuse(1, 'STATEMENT_PRUNED');
  unit.spool.storeAcceptance(idOf(0), Uint8Array.of(1));
  expect(aside()).toEqual([1]);
  const window = { window: Uint8Array.of(3), link: Uint8Array.of(4), chainId: 1n, block: 1n };
  unit.spool.storeReceipt(idOf(1), {
    ...{ inclusion: Uint8Array.of(2), windowHash: new Uint8Array(32), ...window },
    ...{ unlinked: [], linked: [] },
  });
  expect(aside()).toEqual([]);
  expect([refuse(0, 'STATEMENT_PRUNED'), refuse(1, 'STATEMENT_PRUNED')]).toEqual([false, false]);
  expect(
    refusals.take({ recordId: new Uint8Array(32), code: 'STATEMENT_PRUNED', detail: '' }),
  ).toBe(false);
  expect(aside()).toEqual([]);
});

test('a new log destroys what was put aside with the rest that nobody took', () => {
  refuse(0, 'STATEMENT_FORK');
  unit.beginLog({ log: 0, statementSeq: 9, statementId: new Uint8Array(32) });
  expect(unit.spool.asideCount()).toBe(0);
});
