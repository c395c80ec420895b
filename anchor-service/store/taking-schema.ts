/** What is looked up and written for each statement that comes, and each receipt that is asked for. A step of schema.ts. */
export const TAKING = `
-- The next statement has to name the newest one, which is looked up for each that comes. NULL where it is not kept any more.
ALTER TABLE newest_statement ADD COLUMN statement_id BLOB;
UPDATE newest_statement SET statement_id = (SELECT id FROM statement WHERE n = statement_n);

-- The oldest that waits is the first of statement_open: whoever comes earlier has the lower number, and the older acceptance.
DROP INDEX statement_waiting;

-- How often a receipt was asked for since it is owed: asked for between its publication and its settling, it is owed again.
ALTER TABLE receipt_outbox ADD COLUMN asked INTEGER NOT NULL DEFAULT 0;
`;
