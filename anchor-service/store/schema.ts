/** The tables of the service's store. A new version is a new step at the end of the list. */
import { RETENTION } from './retention-schema.ts';
import { TAKING } from './taking-schema.ts';

const VERSION_1 = `
CREATE TABLE identity (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  chain_id TEXT NOT NULL,
  contract BLOB NOT NULL,
  publisher BLOB NOT NULL
) STRICT;

CREATE TABLE session (
  id BLOB PRIMARY KEY,
  tag BLOB NOT NULL,
  epoch INTEGER NOT NULL,
  log INTEGER NOT NULL,
  device_key_id BLOB NOT NULL,
  algorithm TEXT NOT NULL,
  public_key BLOB NOT NULL,
  record BLOB NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE acceptance (
  n INTEGER PRIMARY KEY,
  signed BLOB NOT NULL
) STRICT;

-- One label is one place in one log: a second statement for it is a fork and never gets here.
CREATE TABLE statement (
  n INTEGER PRIMARY KEY,
  id BLOB NOT NULL UNIQUE,
  session_id BLOB NOT NULL REFERENCES session (id),
  label BLOB NOT NULL UNIQUE,
  hash BLOB NOT NULL,
  tag BLOB NOT NULL,
  bytes BLOB NOT NULL,
  beacon_number INTEGER,
  acceptance INTEGER NOT NULL REFERENCES acceptance (n),
  leaf_index INTEGER NOT NULL,
  window_seq INTEGER,
  window_index INTEGER
) STRICT;
CREATE INDEX statement_open ON statement (label) WHERE window_seq IS NULL;
CREATE UNIQUE INDEX statement_place ON statement (window_seq, window_index)
  WHERE window_seq IS NOT NULL;
CREATE INDEX statement_acceptance ON statement (acceptance, leaf_index);

CREATE TABLE fork (
  second_id BLOB PRIMARY KEY,
  first_id BLOB NOT NULL REFERENCES statement (id),
  -- Both signed statements and their sessions (spec/fork-proof.md).
  proof BLOB NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE window (
  seq INTEGER PRIMARY KEY,
  record BLOB NOT NULL,
  hash BLOB NOT NULL UNIQUE,
  tree_size INTEGER NOT NULL,
  sealed_at_ms INTEGER NOT NULL,
  state TEXT NOT NULL
    CHECK (state IN ('SEALED', 'SIGNED', 'SENT', 'MINED', 'FINAL', 'PUBLISHED')),
  mined_block INTEGER,
  anchored BLOB,
  link BLOB,
  block_number INTEGER,
  block_hash BLOB,
  transaction_hash BLOB,
  gas_used INTEGER
) STRICT;
CREATE INDEX window_state ON window (state, seq) WHERE state <> 'PUBLISHED';

-- A nonce is for one payload, for ever. Without a window it deploys the contract.
CREATE TABLE nonce (
  nonce INTEGER PRIMARY KEY,
  window_seq INTEGER REFERENCES window (seq),
  abandoned INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE UNIQUE INDEX nonce_window ON nonce (window_seq) WHERE abandoned = 0;

CREATE TABLE attempt (
  n INTEGER PRIMARY KEY,
  nonce INTEGER NOT NULL REFERENCES nonce (nonce),
  hash BLOB NOT NULL UNIQUE,
  raw BLOB NOT NULL,
  fee_cap TEXT NOT NULL,
  tip TEXT NOT NULL,
  gas_limit TEXT NOT NULL,
  signed_at_block INTEGER NOT NULL
) STRICT;
CREATE INDEX attempt_nonce ON attempt (nonce, n);

CREATE TABLE beacon (
  number INTEGER NOT NULL,
  hash BLOB NOT NULL,
  signed BLOB NOT NULL,
  published_at_ms INTEGER NOT NULL,
  PRIMARY KEY (number, hash)
) STRICT, WITHOUT ROWID;

CREATE TABLE receipt_outbox (
  statement_n INTEGER PRIMARY KEY REFERENCES statement (n),
  window_seq INTEGER NOT NULL
) STRICT;
CREATE INDEX receipt_outbox_window ON receipt_outbox (window_seq, statement_n);
`;

/** What a vehicle is shown whose disk may have been rolled back. One row for each device key in an epoch. */
const VERSION_2 = `
CREATE TABLE newest_statement (
  tag BLOB NOT NULL,
  device_key_id BLOB NOT NULL,
  epoch INTEGER NOT NULL,
  log INTEGER NOT NULL,
  seq INTEGER NOT NULL,
  statement_n INTEGER NOT NULL REFERENCES statement (n),
  PRIMARY KEY (tag, device_key_id, epoch)
) STRICT, WITHOUT ROWID;

INSERT INTO newest_statement
  SELECT tag, device_key_id, epoch, log, seq, n FROM (
    SELECT *, row_number() OVER (PARTITION BY tag, device_key_id, epoch ORDER BY log DESC, seq DESC) AS place
    FROM (
      SELECT session.tag, device_key_id, epoch, log, statement_seq(statement.bytes) AS seq, n
      FROM statement JOIN session ON session.id = statement.session_id
    )
  ) WHERE place = 1;
`;

/**
 * Hops of the chain of final headers. `link_page`: the page that shows the block of this window or beacon; NULL
 * while none does, 0 when none ever will, since it is no block of the chain any more or was out of reach.
 */
const HOPS = `
CREATE TABLE hop (
  number INTEGER PRIMARY KEY,
  hash BLOB NOT NULL,
  -- Shows the hops before, as far as its header reaches (spec/finality.md, "Hops").
  link BLOB NOT NULL
) STRICT;

CREATE TABLE link_page (
  n INTEGER PRIMARY KEY,
  hop INTEGER NOT NULL REFERENCES hop (number),
  link BLOB NOT NULL
) STRICT;
CREATE INDEX link_page_hop ON link_page (hop, n);

ALTER TABLE beacon ADD COLUMN header BLOB;
ALTER TABLE beacon ADD COLUMN link_page INTEGER;
ALTER TABLE window ADD COLUMN link_page INTEGER;
CREATE INDEX beacon_unlinked ON beacon (number) WHERE link_page IS NULL;
CREATE INDEX window_unlinked ON window (block_number)
  WHERE link_page IS NULL AND block_number IS NOT NULL;
CREATE INDEX window_block ON window (block_number) WHERE block_number IS NOT NULL;
`;

/** Which windows have their files in the folder of published windows. */
const PUBLISHING = `
CREATE TABLE written_window (
  seq INTEGER PRIMARY KEY REFERENCES window (seq),
  written_at_ms INTEGER NOT NULL
) STRICT;

-- The oldest statement that waits for a window, for people who look and for a collector.
CREATE INDEX statement_waiting ON statement (acceptance) WHERE window_seq IS NULL;
`;

/** Each window is under one token: `first_seq` is the window after `last_seq` of the row before. */
const TIME_STAMPS = `
CREATE TABLE time_stamp (
  last_seq INTEGER PRIMARY KEY REFERENCES window (seq),
  first_seq INTEGER NOT NULL UNIQUE REFERENCES window (seq),
  bytes BLOB NOT NULL,
  gen_time_ms INTEGER NOT NULL,
  stored_at_ms INTEGER NOT NULL,
  published INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX time_stamp_unpublished ON time_stamp (last_seq) WHERE published = 0;
`;

/**
 * Nonces belong to a sender, since the sender key may change (spec/window.md, "Another sender key"). When a nonce
 * was settled, in the chain's own time, is what the fee budget counts by (spec/finality.md, "Fee budget").
 * What was settled before this version has 0 here, and its time by a later step (SETTLED).
 */
const SENDERS = `
-- A nonce of a sender is for one payload, for ever. Without a window it deploys the contract, or, abandoned,
-- was of a window that another sender anchors.
CREATE TABLE nonce_3 (
  sender BLOB NOT NULL,
  nonce INTEGER NOT NULL,
  window_seq INTEGER REFERENCES window (seq),
  abandoned INTEGER NOT NULL DEFAULT 0,
  settled_at_s INTEGER,
  PRIMARY KEY (sender, nonce)
) STRICT, WITHOUT ROWID;
INSERT INTO nonce_3
  SELECT (SELECT publisher FROM identity), nonce, window_seq, abandoned,
    CASE WHEN abandoned = 1 OR window_seq IS NULL
      OR (SELECT state FROM window WHERE seq = window_seq) IN ('FINAL', 'PUBLISHED') THEN 0 END
  FROM nonce;
CREATE TABLE attempt_3 (
  n INTEGER PRIMARY KEY,
  sender BLOB NOT NULL,
  nonce INTEGER NOT NULL,
  hash BLOB NOT NULL UNIQUE,
  raw BLOB NOT NULL,
  fee_cap TEXT NOT NULL,
  tip TEXT NOT NULL,
  gas_limit TEXT NOT NULL,
  signed_at_block INTEGER NOT NULL,
  FOREIGN KEY (sender, nonce) REFERENCES nonce_3 (sender, nonce)
) STRICT;
INSERT INTO attempt_3
  SELECT n, (SELECT publisher FROM identity), nonce, hash, raw, fee_cap, tip, gas_limit, signed_at_block
  FROM attempt;
DROP TABLE attempt;
DROP TABLE nonce;
-- References follow the new names.
ALTER TABLE nonce_3 RENAME TO nonce;
ALTER TABLE attempt_3 RENAME TO attempt;
CREATE UNIQUE INDEX nonce_window ON nonce (window_seq) WHERE abandoned = 0;
CREATE INDEX nonce_settled ON nonce (settled_at_s);
CREATE INDEX attempt_nonce ON attempt (sender, nonce, n);

-- The place of the present publisher's window seq 0 in the chain of all records of this service.
ALTER TABLE identity ADD COLUMN first_window INTEGER NOT NULL DEFAULT 0;

-- Windows that were sealed for a sender and not final when another took over: their statements are sealed again.
-- What was sent of them may still take effect, so what they held is kept.
CREATE TABLE superseded_window (
  publisher BLOB NOT NULL,
  window_seq INTEGER NOT NULL,
  record BLOB NOT NULL,
  -- All entries of the tree in order, 64 bytes each.
  entries BLOB NOT NULL,
  PRIMARY KEY (publisher, window_seq)
) STRICT, WITHOUT ROWID;
`;

/** Which chunks a statement covers of its own log, so that the next is seen to follow on; and what has not come. */
const SPANS = `
ALTER TABLE statement ADD COLUMN first_chunk INTEGER;
ALTER TABLE statement ADD COLUMN end_chunk INTEGER;
UPDATE statement SET first_chunk = statement_first_chunk(bytes), end_chunk = statement_end_chunk(bytes);
ALTER TABLE newest_statement ADD COLUMN end_chunk INTEGER;
UPDATE newest_statement SET end_chunk = (SELECT end_chunk FROM statement WHERE n = statement_n);

-- In the order of arrival: labels are spread over every page of an index, and the oldest come first into a window.
DROP INDEX statement_open;
CREATE INDEX statement_open ON statement (n) WHERE window_seq IS NULL;

CREATE TABLE missing_statements (
  tag BLOB NOT NULL,
  device_key_id BLOB NOT NULL,
  epoch INTEGER NOT NULL,
  log INTEGER NOT NULL,
  first INTEGER NOT NULL,
  last INTEGER NOT NULL CHECK (last >= first),
  PRIMARY KEY (tag, device_key_id, epoch, log, first)
) STRICT, WITHOUT ROWID;
`;

/** Somebody's evidence may lead over any hop for as long as there are courts: whatever is pruned, these are not. */
const HOPS_KEPT = `
CREATE TRIGGER hop_kept BEFORE DELETE ON hop BEGIN SELECT RAISE(ABORT, 'hops are kept for good'); END;
CREATE TRIGGER link_page_kept BEFORE DELETE ON link_page BEGIN SELECT RAISE(ABORT, 'hops are kept for good'); END;
`;

/**
 * When windows were settled that were FINAL before there was a column for it: what retention counts from, so that 0 would
 * have pruned them all at once.
 */
const SETTLED = `
UPDATE nonce SET settled_at_s = (SELECT anchored_time_s(anchored) FROM window WHERE seq = window_seq)
WHERE settled_at_s = 0 AND abandoned = 0
  AND window_seq IN (SELECT seq FROM window WHERE anchored IS NOT NULL);
`;

/** Which fork proofs have their files in the folder of published ones: by number, in the order in which they were written. */
const FORKS_WRITTEN = `
ALTER TABLE fork ADD COLUMN number INTEGER;
CREATE UNIQUE INDEX fork_number ON fork (number) WHERE number IS NOT NULL;
CREATE INDEX fork_unwritten ON fork (first_id) WHERE number IS NULL;
`;

export const SCHEMA_STEPS: readonly string[] = [
  VERSION_1,
  VERSION_2,
  PUBLISHING,
  HOPS,
  TIME_STAMPS,
  SENDERS,
  SPANS,
  RETENTION,
  HOPS_KEPT,
  SETTLED,
  FORKS_WRITTEN,
  TAKING,
];
