/** What is left of pruned statements. A step of schema.ts. */
export const RETENTION = `
-- Which places of a log were taken by statements that are pruned: one row for each stretch without a hole.
CREATE TABLE pruned_statements (
  tag BLOB NOT NULL,
  device_key_id BLOB NOT NULL,
  epoch INTEGER NOT NULL,
  log INTEGER NOT NULL,
  first INTEGER NOT NULL,
  last INTEGER NOT NULL CHECK (last >= first),
  PRIMARY KEY (tag, device_key_id, epoch, log, first)
) STRICT, WITHOUT ROWID;

-- The public list of a window, stretch by stretch, for receipts of what is kept of it and for its files.
CREATE TABLE pruned_entries (
  window_seq INTEGER NOT NULL REFERENCES window (seq),
  first_index INTEGER NOT NULL,
  -- 64 bytes each, in order, as they are published.
  entries BLOB NOT NULL,
  PRIMARY KEY (window_seq, first_index)
) STRICT;

-- All ids of a group commit, 32 bytes each, once one of its statements is pruned: the paths of the others need them.
ALTER TABLE acceptance ADD COLUMN ids BLOB;

-- Whether a fork's first statement is among what is pruned, whether a reference breaks, and whether a place of a log has
-- its one proof: a vehicle that signs a thousand statements for it must not fill the disk.
CREATE INDEX fork_first ON fork (first_id);

-- Without a reference to the statement: it would cost a search of this table for each statement that is pruned.
CREATE TABLE newest_statement_2 (
  tag BLOB NOT NULL,
  device_key_id BLOB NOT NULL,
  epoch INTEGER NOT NULL,
  log INTEGER NOT NULL,
  seq INTEGER NOT NULL,
  statement_n INTEGER NOT NULL,
  end_chunk INTEGER,
  PRIMARY KEY (tag, device_key_id, epoch)
) STRICT, WITHOUT ROWID;
INSERT INTO newest_statement_2
  SELECT tag, device_key_id, epoch, log, seq, statement_n, end_chunk FROM newest_statement;
DROP TABLE newest_statement;
ALTER TABLE newest_statement_2 RENAME TO newest_statement;
`;
