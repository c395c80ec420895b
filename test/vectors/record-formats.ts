/** The reference code behind the vectors of the records and of the bundle, by format. No Node imports. */
import { decodeAcceptance, encodeAcceptance } from '../../core/acceptance.ts';
import { decodeBeacon, encodeBeacon } from '../../core/beacon.ts';
import {
  decodeBrokenPromise,
  encodeBrokenPromise,
  verifyBrokenPromise,
} from '../../core/broken-promise.ts';
import { decodeBundle, encodeBundle } from '../../core/bundle.ts';
import {
  decodeBlockItem,
  decodeEnrolmentItem,
  decodeHeaderItem,
  decodeOpenedChunk,
  decodeStatementItem,
  encodeBlockItem,
  encodeEnrolmentItem,
  encodeHeaderItem,
  encodeOpenedChunk,
  encodeStatementItem,
} from '../../core/bundle-items.ts';
import { equalBytes, fromHex } from '../../core/bytes.ts';
import { decodeChunkHeader, encodeChunkHeader } from '../../core/chunk-header.ts';
import { recordId, unverifiedPayload } from '../../core/cose.ts';
import {
  decodeCustodyRecord,
  encodeCustodyRecord,
  verifyCustodyChain,
  verifyCustodySignature,
} from '../../core/custody-record.ts';
import {
  decodeEnrolment,
  encodeEnrolment,
  verifyEnrolment,
  verifyVinCommitment,
} from '../../core/enrolment.ts';
import {
  decodeEnrolmentRequest,
  encodeEnrolmentRequest,
  pairingCode,
} from '../../core/enrolment-request.ts';
import {
  decodeErasureNotice,
  decodeErasureOrder,
  encodeErasureNotice,
  encodeErasureOrder,
  erasureDigest,
  erasureNoticeDigest,
  verifyErasureNotice,
  verifyErasureOrder,
} from '../../core/erasure-order.ts';
import { FormatError } from '../../core/errors.ts';
import { verifyEvmAnchor } from '../../core/evm/anchor-proof.ts';
import { decodeForkProof, encodeForkProof, verifyForkProof } from '../../core/fork-proof.ts';
import { decodeGrant, encodeGrant, grantHash, verifyGrant } from '../../core/grant.ts';
import {
  decodeNote,
  encodeNote,
  type NoteKind,
  noteDigest,
  verifyNote,
} from '../../core/grant-notes.ts';
import {
  decodeGrantRequest,
  encodeGrantRequest,
  requestDigest,
  verifyRequestSignature,
} from '../../core/grant-request.ts';
import {
  decodeHandOver,
  encodeHandOver,
  handOverDigest,
  verifyHandOver,
} from '../../core/hand-over.ts';
import { decodeJournalBlock, encodeJournalBlock } from '../../core/journal-block.ts';
import { decodeJournalBody, encodeJournalBody } from '../../core/journal-body.ts';
import { decodeLastRecord, encodeLastRecord } from '../../core/last-record.ts';
import {
  decodeKeyNodesItem,
  decodePackage,
  decodePackageContents,
  decodeSealedChunkItem,
  encodeKeyNodesItem,
  encodePackage,
  encodePackageContents,
  encodeSealedChunkItem,
} from '../../core/package.ts';
import { decodePresenceMap, encodePresenceLeaf } from '../../core/presence-leaf.ts';
import {
  decodeAnchoredWindow,
  decodeInclusion,
  encodeAnchoredWindow,
  encodeInclusion,
  type InclusionLevel,
  verifyInclusionLevels,
} from '../../core/receipt.ts';
import { decodeRecordsPayload, encodeRecordsPayload } from '../../core/records-payload.ts';
import {
  decodePackedBlockLeaf,
  verifyBlockLeaves,
  verifyBlocks,
  verifyPresence,
} from '../../core/recovered.ts';
import {
  decodeRegistrationProof,
  encodeRegistrationProof,
  verifyRegistration,
} from '../../core/registration-proof.ts';
import {
  decodeRegistryFacts,
  encodeRegistryFacts,
  verifyRegistryFacts,
} from '../../core/registry-facts.ts';
import { decodeSessionRecord, encodeSessionRecord } from '../../core/session-record.ts';
import { type Algorithm, type PublicKey, verifyDigest } from '../../core/signature.ts';
import { decodeStateRecord, encodeStateRecord } from '../../core/state-record.ts';
import { decodeStatement, encodeStatement } from '../../core/statement.ts';
import { decodeStatementRequest, encodeStatementRequest } from '../../core/statement-request.ts';
import { decodeStreamsRecord, encodeStreamsRecord } from '../../core/streams-record.ts';
import { coveredRecordHashes, decodeTimeStamp, encodeTimeStamp } from '../../core/time-stamp.ts';
import {
  decodeWindowRecord,
  encodeWindowRecord,
  verifyWindowList,
  windowEntry,
  windowLabel,
  windowRecordHash,
  windowTree,
} from '../../core/window.ts';
import {
  decodeAcceptedMessage,
  decodeAskMessage,
  decodeLastMessage,
  decodeLinkMessage,
  decodeMissingMessage,
  decodeReceiptMessage,
  decodeRefusedMessage,
  decodeUnlinkedMessage,
  decodeWantMessage,
  decodeWantStampMessage,
  encodeAcceptedMessage,
  encodeAskMessage,
  encodeLastMessage,
  encodeLinkMessage,
  encodeMissingMessage,
  encodeReceiptMessage,
  encodeRefusedMessage,
  encodeUnlinkedMessage,
  encodeWantMessage,
  encodeWantStampMessage,
  parseUpTopic,
} from '../../core/wire.ts';
import { plainObject } from '../../fixtures/generate/plain-json.ts';
import { verified as verifiedToken } from '../../fixtures/generate/tsp/verified.ts';
import {
  type FormatRunner,
  hex,
  hexes,
  list,
  number,
  numbers,
  object,
  text,
  type VectorInput,
} from './vector-input.ts';

/** Decodes, and encodes again: one value has one encoding. */
function codec<T extends object>(
  decode: (bytes: Uint8Array) => T,
  encode: (value: T) => Uint8Array,
): FormatRunner {
  return (input) => plainObject(decodedAgain(hex(input, 'bytes'), decode, encode));
}

function decodedAgain<T>(
  bytes: Uint8Array,
  decode: (bytes: Uint8Array) => T,
  encode: (value: T) => Uint8Array,
): T {
  const value = decode(bytes);
  if (!equalBytes(encode(value), bytes)) throw new Error('encoded again, the bytes differ');
  return value;
}

export const RECORD_FORMATS: Readonly<Record<string, FormatRunner>> = {
  acceptance: codec(decodeAcceptance, encodeAcceptance),
  'anchored-window': codec(decodeAnchoredWindow, encodeAnchoredWindow),
  beacon: codec(decodeBeacon, encodeBeacon),
  'statement-request': codec(decodeStatementRequest, encodeStatementRequest),
  'broken-promise': runBrokenPromise,
  bundle: runBundle,
  'bundle-block-item': codec(decodeBlockItem, encodeBlockItem),
  'bundle-enrolment-item': codec(decodeEnrolmentItem, encodeEnrolmentItem),
  'bundle-header-item': codec(decodeHeaderItem, encodeHeaderItem),
  'bundle-opened-chunk': codec(decodeOpenedChunk, encodeOpenedChunk),
  'bundle-statement-item': codec(decodeStatementItem, encodeStatementItem),
  'chunk-header': codec(decodeChunkHeader, encodeChunkHeader),
  'custody-chain': (input) => ({
    seqs: verifyCustodyChain(hexes(input, 'records')).map(({ seq }) => seq),
  }),
  'custody-record': runCustodyRecord,
  enrolment: (input) => {
    const { id, owner } = verifyEnrolment(hex(input, 'bytes'), verifyDigest);
    return plainObject({ id, owner });
  },
  'enrolment-request': (input) => {
    const bytes = hex(input, 'bytes');
    const request = decodedAgain(bytes, decodeEnrolmentRequest, encodeEnrolmentRequest);
    return plainObject({ request, pairingCode: pairingCode(bytes) });
  },
  'enrolment-payload': codec(decodeEnrolment, encodeEnrolment),
  'evm-anchor': runEvmAnchor,
  'fork-proof': runForkProof,
  'erasure-notice': runErasureNotice,
  'erasure-order': runErasureOrder,
  grant: runGrant,
  'grant-request': runGrantRequest,
  'freshness-note': (input) => runNote('freshness', input),
  'revocation-note': (input) => runNote('revocation', input),
  'hand-over': runHandOver,
  inclusion: codec(decodeInclusion, encodeInclusion),
  'inclusion-levels': runInclusionLevels,
  'journal-block': codec(decodeJournalBlock, encodeJournalBlock),
  'journal-body': (input) => {
    const leaves = decodedAgain(hex(input, 'bytes'), decodeJournalBody, encodeJournalBody);
    return plainObject({ leaves });
  },
  package: codec(decodePackage, encodePackage),
  'package-contents': (input) => {
    const bytes = hex(input, 'bytes');
    const sections = decodedAgain(bytes, decodePackageContents, encodePackageContents);
    const used = Object.entries(sections).filter(([, items]) => items.length > 0);
    return plainObject({ sections: Object.fromEntries(used) });
  },
  'package-key-nodes': codec(decodeKeyNodesItem, encodeKeyNodesItem),
  'package-sealed-chunk': codec(decodeSealedChunkItem, encodeSealedChunkItem),
  'packed-block-leaf': (input) => {
    const { count, body } = decodePackedBlockLeaf(hex(input, 'packed'));
    return plainObject({ count, payload: body });
  },
  'presence-leaf': runPresence,
  'presence-sum': (input) => {
    const blocks = numbers(input, 'blockEntryCounts').map((entryCount) => ({ entryCount }));
    const counts = numbers(input, 'counts');
    return { allOpen: verifyPresence(number(input, 'entryCount'), blocks, counts) };
  },
  'records-payload': runRecordsPayload,
  'recovered-chunk': runRecoveredChunk,
  'registration-proof': runRegistrationProof,
  'registry-facts': runRegistryFacts,
  'session-record': codec(decodeSessionRecord, encodeSessionRecord),
  'state-record': codec(decodeStateRecord, encodeStateRecord),
  statement: codec(decodeStatement, encodeStatement),
  'streams-record': (input) => ({
    names: decodedAgain(hex(input, 'bytes'), decodeStreamsRecord, encodeStreamsRecord),
  }),
  'time-stamp': runTimeStamp,
  'tsp/token': (input) => verifiedToken(input as never),
  'uplink-accepted': codec(decodeAcceptedMessage, encodeAcceptedMessage),
  'uplink-missing': codec(decodeMissingMessage, encodeMissingMessage),
  'last-record': codec(decodeLastRecord, encodeLastRecord),
  'uplink-ask': codec(decodeAskMessage, encodeAskMessage),
  'uplink-last': codec(decodeLastMessage, encodeLastMessage),
  'uplink-link': (input) =>
    plainObject({
      links: decodedAgain(hex(input, 'bytes'), decodeLinkMessage, encodeLinkMessage),
    }),
  'uplink-receipt': codec(decodeReceiptMessage, encodeReceiptMessage),
  'uplink-refused': codec(decodeRefusedMessage, encodeRefusedMessage),
  'uplink-topic': (input) => {
    const parsed = parseUpTopic(text(input, 'topic'));
    if (parsed === undefined) throw new FormatError('TOPIC_UNKNOWN', 'no topic of a vehicle');
    return parsed;
  },
  'uplink-unlinked': (input) =>
    plainObject({
      numbers: decodedAgain(hex(input, 'bytes'), decodeUnlinkedMessage, encodeUnlinkedMessage),
    }),
  'uplink-want': (input) =>
    plainObject({
      statementIds: decodedAgain(hex(input, 'bytes'), decodeWantMessage, encodeWantMessage),
    }),
  'uplink-want-stamp': codec(decodeWantStampMessage, encodeWantStampMessage),
  'vin-commitment': (input) => {
    verifyVinCommitment(hex(input, 'commitment'), hex(input, 'salt'), text(input, 'vin'));
    return {};
  },
  'window-list': (input) => {
    const record = decodeWindowRecord(hex(input, 'record'));
    verifyWindowList(record, hexes(input, 'entries'));
    return plainObject({ root: record.root });
  },
  'window-record': (input) => {
    const bytes = hex(input, 'bytes');
    const record = decodedAgain(bytes, decodeWindowRecord, encodeWindowRecord);
    return plainObject({ record, hash: windowRecordHash(bytes) });
  },
  'window-tree': runWindowTree,
};

function publicKey(input: VectorInput, name: string): PublicKey {
  return { algorithm: text(input, 'algorithm') as Algorithm, bytes: hex(input, name) };
}

function runBrokenPromise(input: VectorInput): object {
  const bytes = hex(input, 'bytes');
  const promise = decodedAgain(bytes, decodeBrokenPromise, encodeBrokenPromise);
  const proven = verifyBrokenPromise(promise, publicKey(input, 'serviceKey'), verifyDigest);
  return plainObject({
    statementId: proven.statementId,
    anchorByMs: proven.acceptance.anchorByMs,
    emptyBlock: proven.late?.emptyBlock.number,
    anchorBlock: proven.late?.anchorBlock.number,
    publisher: proven.late?.publisher,
  });
}

/** Empty sections are left out of what is shown. */
function runBundle(input: VectorInput): object {
  const bytes = hex(input, 'bytes');
  const { sections, unknownSections, digestMatches } = decodeBundle(bytes);
  if (digestMatches && unknownSections.length === 0 && !equalBytes(encodeBundle(sections), bytes)) {
    throw new Error('encoded again, the bytes differ');
  }
  const used = Object.entries(sections).filter(([, items]) => items.length > 0);
  return plainObject({ sections: Object.fromEntries(used), unknownSections, digestMatches });
}

function runCustodyRecord(input: VectorInput): object {
  const record = decodedAgain(hex(input, 'bytes'), decodeCustodyRecord, encodeCustodyRecord);
  return plainObject({ record, signature: verifyCustodySignature(record) });
}

function runEvmAnchor(input: VectorInput): object {
  const record = hex(input, 'record');
  const { block } = verifyEvmAnchor(decodeWindowRecord(record), windowRecordHash(record), {
    kind: 'evm',
    header: hex(input, 'header'),
    nodes: hexes(input, 'nodes'),
  });
  return plainObject({ hash: block.hash, number: block.number, timestamp: block.timestamp });
}

function runForkProof(input: VectorInput): object {
  const proof = decodedAgain(hex(input, 'bytes'), decodeForkProof, encodeForkProof);
  return plainObject(verifyForkProof(proof, publicKey(input, 'deviceKey'), verifyDigest));
}

function runGrant(input: VectorInput): object {
  const signed = decodedAgain(hex(input, 'bytes'), decodeGrant, encodeGrant);
  return plainObject({ ...signed, hash: grantHash(signed.grant), owner: verifyGrant(signed) });
}

function runHandOver(input: VectorInput): object {
  const signed = decodedAgain(hex(input, 'bytes'), decodeHandOver, encodeHandOver);
  const digest = handOverDigest(signed.handOver);
  return plainObject({ ...signed, digest, owner: verifyHandOver(signed) });
}

function runRegistrationProof(input: VectorInput): object {
  const bytes = hex(input, 'bytes');
  decodedAgain(bytes, decodeRegistrationProof, encodeRegistrationProof);
  const payload = hex(input, 'payload');
  const { enrolment } = decodeEnrolment(payload);
  const id = recordId('enrolment', enrolment.deviceKey, payload);
  const services = list(input, 'services').map((service) => {
    const one = service as VectorInput;
    const key = { algorithm: 'ES256K' as const, bytes: hex(one, 'key') };
    return { key, chainId: BigInt(text(one, 'chainId')) };
  });
  const block = verifyRegistration(bytes, { id, enrolment }, services, verifyDigest);
  return plainObject({ enrolmentId: id, blockNumber: block.number });
}

function runErasureNotice(input: VectorInput): object {
  const notice = decodedAgain(hex(input, 'bytes'), decodeErasureNotice, encodeErasureNotice);
  const digest = erasureNoticeDigest(notice);
  return plainObject({ ...notice, digest, owner: verifyErasureNotice(notice) });
}

function runErasureOrder(input: VectorInput): object {
  const signed = decodedAgain(hex(input, 'bytes'), decodeErasureOrder, encodeErasureOrder);
  const digest = erasureDigest(signed.order);
  return plainObject({ ...signed, digest, owner: verifyErasureOrder(signed) });
}

function runGrantRequest(input: VectorInput): object {
  const read = decodedAgain(hex(input, 'bytes'), decodeGrantRequest, encodeGrantRequest);
  verifyRequestSignature(read);
  const { request, signature, grant } = read;
  const digest = requestDigest(request);
  return plainObject({ request, signature, digest, grantHash: grantHash(grant.grant) });
}

function runNote(kind: NoteKind, input: VectorInput): object {
  const signed = decodedAgain(
    hex(input, 'bytes'),
    (bytes) => decodeNote(kind, bytes),
    (note) => encodeNote(kind, note),
  );
  const digest = noteDigest(kind, signed.note);
  return plainObject({ ...signed, digest, owner: verifyNote(kind, signed) });
}

function runInclusionLevels(input: VectorInput): object {
  const levels = list(input, 'levels').map((item): InclusionLevel => {
    const level = item as VectorInput;
    return {
      treeSize: number(level, 'treeSize'),
      leafIndex: number(level, 'leafIndex'),
      path: hexes(level, 'path'),
    };
  });
  const expected = { root: hex(input, 'root'), treeSize: number(input, 'treeSize') };
  verifyInclusionLevels(hex(input, 'entry'), levels, expected);
  return {};
}

function runPresence(input: VectorInput): object {
  const presentIn = decodePresenceMap(hex(input, 'map'), number(input, 'blockCount'));
  return plainObject({ presentIn, leaf: encodePresenceLeaf('raw/can0/0B4', 41, presentIn) });
}

function runRecordsPayload(input: VectorInput): object {
  const payload = hex(input, 'bytes');
  const count = number(input, 'count');
  const decode = (bytes: Uint8Array) => decodeRecordsPayload(bytes, count);
  return plainObject({ records: decodedAgain(payload, decode, encodeRecordsPayload) });
}

function runRecoveredChunk(input: VectorInput): object {
  const header = decodeChunkHeader(hex(input, 'header'));
  const session = { id: hex(input, 'sessionId'), key: publicKey(input, 'sessionKey') };
  const items = hexes(input, 'blocks').map(decodeBlockItem);
  const blocks = verifyBlocks(header, session, items, verifyDigest);
  const entries = object(input, 'entries');
  const entryAt = (index: number) =>
    entries[`${index}`] === undefined ? undefined : hex(entries, `${index}`);
  blocks.forEach((block, i) => {
    const item = items[i];
    if (item !== undefined) verifyBlockLeaves(block, item, entryAt);
  });
  return { indexes: blocks.map(({ index }) => index) };
}

function runRegistryFacts(input: VectorInput): object {
  const facts = decodedAgain(hex(input, 'bytes'), decodeRegistryFacts, encodeRegistryFacts);
  const linked = Object.entries(object(input, 'linked')).map(
    ([blockNumber, hash]): [bigint, Uint8Array] => [BigInt(blockNumber), fromHex(String(hash))],
  );
  const { block } = verifyRegistryFacts(facts, new Map(linked));
  return plainObject({ facts, blockNumber: block.number, blockHash: block.hash });
}

function runTimeStamp(input: VectorInput): object {
  const stamp = decodedAgain(hex(input, 'bytes'), decodeTimeStamp, encodeTimeStamp);
  return plainObject({ stamp, covered: coveredRecordHashes(stamp) });
}

function runWindowTree(input: VectorInput): object {
  const statements = hexes(input, 'statements');
  const labels = statements.map((bytes) => windowLabel(decodeStatement(unverifiedPayload(bytes))));
  const entries = statements.map((bytes, i) => windowEntry(labels[i] ?? bytes, bytes));
  return plainObject({ labels, entries, root: windowTree(entries).root() });
}
