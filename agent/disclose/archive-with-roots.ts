/** A spool as its owner reads it: with the roots that the unit sealed to the recovery key, nothing of it is forgotten. */
import type { OpenedRoots } from '../../core/sealed-roots.ts';
import type { Archive } from '../ports.ts';
import { readableStreams } from './readable-streams.ts';

export function archiveWithRoots(archive: Archive, roots: readonly OpenedRoots[]): Archive {
  return {
    identity: () => archive.identity(),
    streams: (log) => readableStreams(archive, log, roots),
    sessions: (log) => archive.sessions(log),
    lastChunk: (log) => archive.lastChunk(log),
    chunks: (log, fromSeq, toSeq) => archive.chunks(log, fromSeq, toSeq),
    statementsOver: (log, fromSeq, toSeq) => archive.statementsOver(log, fromSeq, toSeq),
    window: (hash) => archive.window(hash),
    links: (chainId, fromBlock, toBlock, limit) =>
      archive.links(chainId, fromBlock, toBlock, limit),
    linksFrom: (chainId, block, limit) => archive.linksFrom(chainId, block, limit),
    stampOf: (windowHash) => archive.stampOf(windowHash),
    promises: () => archive.promises(),
    custodyChunks: () => archive.custodyChunks(),
    body: (log, seq) => archive.body(log, seq),
    custodyOfErased: (log, seq) => archive.custodyOfErased(log, seq),
  };
}
