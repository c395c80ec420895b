/** Tables of what a unit forgets and what only its owner can open. Implements spec/spool.md, "Forgetting keys". */

/**
 * forgetting: one row. generation: of the storage key that all rows of keys are sealed under. readable_from: place of the
 * first chunk that is young enough; of those before it only what is held can be read.
 * sealed_roots: to the owner's recovery key; place as in stream_roots, of the journal's the last one of its log.
 */
export const KEYS_SCHEMA = `
  CREATE TABLE forgetting (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    generation INTEGER NOT NULL,
    readable_from INTEGER NOT NULL
  );
  INSERT INTO forgetting VALUES (1, 0, 0);
  CREATE TABLE sealed_roots (
    place INTEGER PRIMARY KEY,
    sealed BLOB NOT NULL
  );
`;
