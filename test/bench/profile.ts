/** Where the CPU time of a piece of work goes, by the part of the program that it was spent in. */
import type { Profiler } from 'node:inspector';
import { Session } from 'node:inspector/promises';

export type Share = { readonly part: string; readonly share: number };

/** What Node does in C++ has a name in the profile and no place. */
const PARTS: readonly (readonly [part: string, matches: RegExp])[] = [
  ['native sealing of chunks', /native-sealing[.]ts chunk$/],
  ['native sealing of journal blocks', /native-sealing[.]ts block$/],
  ['deflate (zlib)', /zlib|^ writeSync$/],
  [
    'AES-256-GCM (OpenSSL)',
    /crypto\/cipher|native-aead|^ (CipherBase|update|final|setAAD|getAuthTag)$/,
  ],
  ['SHA-2 (OpenSSL)', /crypto\/hash|native-hash|^ (oneShotDigest|latin1Write)$/],
  ['signatures (libsecp256k1)', /secp256k1|^ (ecdsaSign|ecdsaVerify)$/],
  ['SQLite', /better-sqlite3|spool\/(spool|rows|index|stream)|statements/],
  [
    'files: written, synced, read',
    /segment-files|journal-file|node:fs|^ (fdatasync|writeBuffer|read)$/,
  ],
  ['raw payload layout', /raw-(payload|shape)/],
  ['arrival order', /arrival-order|leaf-contents/],
  ['key tree', /key-tree/],
  ['chunk tree', /merkle/],
  ['random bytes', /crypto\/random|^ (RandomBytesJob|run)$/],
  ['watching the capture', /agent\/record\//],
  [
    'cutting and grouping',
    /chunker|chunk-buffer|group|stream-(table|routes)|native-sealing|looped-/,
  ],
  ['encoding and hashing of records', /core\/|noble|agent-records|chunk-sealer|journal/],
];

export async function profiled<T>(
  work: () => Promise<T>,
): Promise<{ readonly result: T; readonly shares: readonly Share[] }> {
  const session = new Session();
  session.connect();
  await session.post('Profiler.enable');
  await session.post('Profiler.start');
  const result = await work();
  const { profile } = await session.post('Profiler.stop');
  session.disconnect();
  const nodes = namedNodes(profile.nodes);
  const times = new Map<string, number>();
  let total = 0;
  profile.samples?.forEach((id, i) => {
    const frame = nodes.get(id);
    const time = profile.timeDeltas?.[i] ?? 0;
    if (frame === undefined || frame.functionName === '(idle)') return;
    const part = partOf(frame.functionName, frame.url);
    times.set(part, (times.get(part) ?? 0) + time);
    total += time;
  });
  const shares = [...times]
    .map(([part, time]) => ({ part, share: time / total }))
    .sort((a, b) => b.share - a.share);
  return { result, shares };
}

/** By id; what an add-on does has no name, and is its caller's. */
function namedNodes(
  nodes: readonly Profiler.ProfileNode[],
): ReadonlyMap<number, Profiler.ProfileNode['callFrame']> {
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const named = new Map<number, Profiler.ProfileNode['callFrame']>();
  const visit = (id: number, caller: Profiler.ProfileNode['callFrame']): void => {
    const node = byId.get(id);
    if (node === undefined) return;
    const { callFrame, children } = node;
    const frame = callFrame.functionName === '' && callFrame.url === '' ? caller : callFrame;
    named.set(id, frame);
    for (const child of children ?? []) visit(child, frame);
  };
  const [root] = nodes;
  if (root !== undefined) visit(root.id, root.callFrame);
  return named;
}

function partOf(name: string, url: string): string {
  if (name === '(garbage collector)') return 'garbage collection';
  const place = `${url.replace(/^file:.*\/(?=(agent|core|hw|test)\/)/, '')} ${name}`;
  return PARTS.find(([, matches]) => matches.test(place))?.[0] ?? 'everything else';
}
