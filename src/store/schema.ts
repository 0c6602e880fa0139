/** The tables of an event log. `PRAGMA user_version` counts the migrations that a file has had. */

/** "a2aN": tells our files from those of other applications (https://sqlite.org/fileformat.html, 1.3.15). */
export const APPLICATION_ID = 0x6132614e

/** Forward only. A released one is never changed: what is to be different goes into a new one at the end. */
export const MIGRATIONS: readonly string[] = [`
  CREATE TABLE events (
    position INTEGER PRIMARY KEY,
    at REAL NOT NULL,
    agent TEXT NOT NULL,
    role TEXT NOT NULL,
    task_id TEXT NOT NULL,
    type TEXT NOT NULL,
    data TEXT NOT NULL
  ) STRICT;
  CREATE INDEX events_of_task ON events (task_id, role);

  -- How each task stands. Derived from the events, written with them.
  CREATE TABLE tasks (
    agent TEXT NOT NULL,
    role TEXT NOT NULL,
    task_id TEXT NOT NULL,
    first_position INTEGER NOT NULL,
    last_position INTEGER NOT NULL,
    created_at REAL NOT NULL,
    updated_at REAL NOT NULL,
    capability TEXT NOT NULL,
    stage TEXT NOT NULL,
    ended INTEGER NOT NULL,
    outcome TEXT NOT NULL,
    counterpart TEXT,
    epoch INTEGER,
    failure TEXT,
    cost REAL,
    PRIMARY KEY (task_id, role, agent)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX tasks_by_age ON tasks (first_position);
  CREATE INDEX tasks_of_agent ON tasks (agent, first_position);
  CREATE INDEX tasks_open ON tasks (first_position) WHERE ended = 0;
  CREATE INDEX tasks_ended ON tasks (agent, last_position) WHERE ended = 1;
  CREATE INDEX tasks_tally ON tasks (agent, role, outcome, cost);
  CREATE INDEX tasks_recent ON tasks (agent, role, last_position, created_at, updated_at) WHERE ended = 1;

  CREATE TABLE receipts (
    number INTEGER PRIMARY KEY,
    agent TEXT NOT NULL,
    task_id TEXT NOT NULL,
    epoch INTEGER NOT NULL,
    at REAL NOT NULL,
    previous BLOB NOT NULL,
    hash BLOB NOT NULL,
    statement BLOB NOT NULL,
    countersignature BLOB,
    UNIQUE (agent, hash)
  ) STRICT;
  CREATE INDEX receipts_of_agent ON receipts (agent);
  CREATE INDEX receipts_of_task ON receipts (task_id, agent);

  CREATE TABLE kept_values (
    key TEXT PRIMARY KEY,
    value BLOB NOT NULL
  ) STRICT, WITHOUT ROWID
`, `
  ALTER TABLE tasks ADD COLUMN spent REAL;
  ALTER TABLE tasks ADD COLUMN parent TEXT;
  CREATE INDEX tasks_of_parent ON tasks (parent, first_position) WHERE parent IS NOT NULL;
  CREATE INDEX tasks_paid ON tasks (agent, role, capability, counterpart, cost) WHERE ended = 1 AND cost > 0
`, `
  -- CRC-32 over the other columns (seal.ts).
  ALTER TABLE events ADD COLUMN seal INTEGER;
  ALTER TABLE receipts ADD COLUMN seal INTEGER;
  ALTER TABLE kept_values ADD COLUMN seal INTEGER;

  -- What tasks that were taken out (prune.ts) add to the metrics.
  CREATE TABLE tallies (
    agent TEXT NOT NULL,
    role TEXT NOT NULL,
    outcome TEXT NOT NULL,
    tasks INTEGER NOT NULL,
    cost REAL NOT NULL,
    PRIMARY KEY (agent, role, outcome)
  ) STRICT, WITHOUT ROWID
`]
