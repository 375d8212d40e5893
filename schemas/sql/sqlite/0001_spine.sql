-- SPDX-License-Identifier: Apache-2.0
-- The tables are append-friendly: row numbers carry the run (see schemas/row.h), so that the rows
-- of a run lie together and few second indexes are needed. Times are Unix milliseconds, ids are 16
-- bytes, states and kinds are names. `sealed` columns are encrypted; every other text went through
-- redaction. Laws that the schema can hold are held here: a call has a hold, a hold one settlement.

CREATE TABLE meta (
	name TEXT PRIMARY KEY,
	value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE scope (
	no INTEGER PRIMARY KEY,
	scope TEXT NOT NULL,
	id TEXT NOT NULL,
	UNIQUE (scope, id)
) STRICT;

CREATE TABLE run (
	no INTEGER PRIMARY KEY,
	id BLOB NOT NULL UNIQUE CHECK (length(id) = 16),
	name TEXT NOT NULL,
	kind TEXT NOT NULL,
	workflow TEXT NOT NULL,
	agent TEXT NOT NULL,
	user TEXT NOT NULL,
	project TEXT NOT NULL,
	tenant TEXT NOT NULL,
	platform TEXT NOT NULL,
	submitted_by TEXT NOT NULL,
	created_at INTEGER NOT NULL,
	state TEXT NOT NULL,
	started_at INTEGER,
	ended_at INTEGER,
	last_at INTEGER NOT NULL,
	active_ms INTEGER NOT NULL,
	active_at INTEGER,
	paused INTEGER NOT NULL CHECK (paused IN (0, 1)),
	halt BLOB,
	open INTEGER NOT NULL CHECK (open IN (0, 1)), -- not running, and a call has no end yet
	seq INTEGER NOT NULL CHECK (seq >= 0), -- of the last event when this row was written: of a
	hash BLOB NOT NULL CHECK (length(hash) = 32), -- running run the timeline is ahead
	error_code TEXT,
	error TEXT,
	approved BLOB -- one dangerous call of a client with this hash
) STRICT;
CREATE INDEX run_of_state ON run (state); -- at start: what is live; and for lists
CREATE INDEX run_open ON run (no) WHERE open = 1;
CREATE INDEX run_of_tenant ON run (tenant);
CREATE INDEX run_of_workflow ON run (workflow);

-- Apart from the run, whose row is written anew, however large the definition is.
CREATE TABLE def (
	run INTEGER PRIMARY KEY REFERENCES run (no),
	sealed BLOB NOT NULL,
	shown TEXT NOT NULL
) STRICT;

CREATE TABLE step (
	no INTEGER PRIMARY KEY, -- run << 22 | step << 11 | item
	id TEXT NOT NULL,
	uses TEXT NOT NULL,
	state TEXT NOT NULL,
	item_state TEXT NOT NULL,
	n_items INTEGER NOT NULL,
	attempt INTEGER NOT NULL,
	resends INTEGER NOT NULL,
	due INTEGER,
	call BLOB,
	started_at INTEGER,
	ended_at INTEGER,
	approved BLOB,
	sealed_output BLOB,
	output TEXT,
	citations TEXT,
	error_code TEXT,
	error TEXT
) STRICT;

CREATE TABLE account (
	no INTEGER PRIMARY KEY, -- run << 20 | (step + 1) << 8 | meter; below 0 for wider scopes
	scope_no INTEGER REFERENCES scope (no),
	scope TEXT NOT NULL,
	meter TEXT NOT NULL,
	"limit" INTEGER NOT NULL CHECK ("limit" >= -1),
	granted INTEGER NOT NULL CHECK (granted >= 0),
	settled INTEGER NOT NULL CHECK (settled >= 0),
	held INTEGER NOT NULL CHECK (held >= 0),
	overrun INTEGER NOT NULL CHECK (overrun >= 0)
) STRICT;

-- An attempt of a call and its hold, which is never without the call nor the call without it: one
-- row, written when the call is made and touched again only when it comes into doubt, or when the
-- client that makes it extends it. How it ended stands in the settlement.
CREATE TABLE attempt (
	no INTEGER PRIMARY KEY,
	call BLOB NOT NULL CHECK (length(call) = 16),
	attempt INTEGER NOT NULL CHECK (attempt >= 1),
	hold BLOB NOT NULL CHECK (length(hold) = 16),
	run_no INTEGER NOT NULL,
	step INTEGER NOT NULL,
	item INTEGER NOT NULL,
	kind TEXT NOT NULL,
	idempotence INTEGER NOT NULL,
	params_hash BLOB NOT NULL CHECK (length(params_hash) = 32),
	params TEXT NOT NULL,
	intent TEXT NOT NULL,
	at INTEGER NOT NULL,
	amounts TEXT NOT NULL, -- {"tokens":1200,"tool_steps":1}: the same on every scope of the run
	state TEXT NOT NULL, -- held, sent or in_doubt: before its end
	expires_at INTEGER -- of a call that a client makes itself: in doubt from then on
) STRICT;
CREATE INDEX attempt_of_run ON attempt (run_no);
CREATE INDEX attempt_of_client ON attempt (call) WHERE expires_at IS NOT NULL;

CREATE TABLE settlement (
	hold INTEGER PRIMARY KEY REFERENCES attempt (no), -- exactly one end
	at INTEGER NOT NULL,
	voided INTEGER NOT NULL CHECK (voided IN (0, 1)),
	estimated INTEGER NOT NULL CHECK (estimated IN (0, 1)),
	used TEXT NOT NULL,
	overrun TEXT NOT NULL,
	by TEXT NOT NULL,
	result TEXT -- of the call
) STRICT;

-- The runs that act by themselves, and those with a call that has no end yet.
CREATE VIEW live AS
SELECT no FROM run WHERE state IN ('queued', 'running')
UNION SELECT no FROM run WHERE open = 1;

-- An attempt as the two things that it is.
CREATE VIEW hold AS
SELECT no, hold AS id, run_no, step, item, at, amounts FROM attempt;

CREATE VIEW call AS
SELECT
	a.no, a.call AS id, a.attempt, a.no AS hold, a.run_no, a.step, a.item, a.kind, a.idempotence,
	a.params_hash, a.params, a.intent, a.at,
	CASE WHEN t.hold IS NULL THEN a.state WHEN t.voided THEN 'voided' ELSE 'settled' END AS state,
	t.at AS ended_at, t.result, a.expires_at
FROM attempt a LEFT JOIN settlement t ON t.hold = a.no;

CREATE TABLE grant_ (
	no INTEGER PRIMARY KEY,
	run_no INTEGER NOT NULL REFERENCES run (no),
	halt BLOB,
	step INTEGER NOT NULL, -- -1: the run's account
	meter TEXT NOT NULL,
	amount INTEGER NOT NULL CHECK (amount > 0),
	at INTEGER NOT NULL,
	by TEXT NOT NULL,
	reason TEXT
) STRICT;
CREATE INDEX grant_of_run ON grant_ (run_no);

CREATE TABLE halt (
	no INTEGER PRIMARY KEY,
	id BLOB NOT NULL UNIQUE CHECK (length(id) = 16),
	run_no INTEGER NOT NULL REFERENCES run (no),
	kind TEXT NOT NULL,
	step INTEGER NOT NULL, -- -1: the run as a whole
	item INTEGER NOT NULL,
	call BLOB,
	verdict TEXT,
	intent TEXT,
	params_hash BLOB NOT NULL CHECK (length(params_hash) = 32),
	since INTEGER NOT NULL,
	decided_at INTEGER,
	decision TEXT,
	by TEXT,
	reason TEXT
) STRICT;
CREATE INDEX halt_of_run ON halt (run_no);
CREATE INDEX halt_open ON halt (since) WHERE decided_at IS NULL;

-- What happens to a run at once lies one behind the other, and only the first of such events is in
-- the index: most events are written without a second, scattered write.
CREATE TABLE event (
	no INTEGER PRIMARY KEY,
	n INTEGER NOT NULL, -- how many lie together, in the first of them; 0 in the others
	run_no INTEGER NOT NULL,
	seq INTEGER NOT NULL CHECK (seq >= 1),
	at INTEGER NOT NULL,
	type TEXT NOT NULL,
	step TEXT,
	item INTEGER NOT NULL,
	call BLOB,
	data TEXT NOT NULL,
	hash BLOB NOT NULL CHECK (length(hash) = 32)
) STRICT;
CREATE UNIQUE INDEX event_of_run ON event (run_no, seq) WHERE n > 0;

-- The last event of each run. No row: it has none, or the last is gone.
CREATE VIEW head AS
SELECT r.no AS run_no, e.no, e.seq, e.at, e.hash
FROM run r JOIN event e ON e.no = (SELECT f.no + f.n - 1 FROM event f
	WHERE f.n > 0 AND f.run_no = r.no ORDER BY f.seq DESC LIMIT 1);

CREATE TABLE external_id (
	no INTEGER PRIMARY KEY,
	run_no INTEGER NOT NULL REFERENCES run (no),
	step INTEGER NOT NULL,
	item INTEGER NOT NULL,
	call BLOB NOT NULL,
	at INTEGER NOT NULL,
	kind TEXT NOT NULL,
	id TEXT NOT NULL,
	url TEXT
) STRICT;
CREATE INDEX external_id_of_run ON external_id (run_no);

CREATE TABLE transcript (
	no INTEGER PRIMARY KEY,
	run_no INTEGER NOT NULL REFERENCES run (no),
	call BLOB NOT NULL,
	attempt INTEGER NOT NULL,
	at INTEGER NOT NULL,
	text TEXT NOT NULL
) STRICT;
CREATE INDEX transcript_of_call ON transcript (run_no, call, attempt);

CREATE TABLE answer (
	key_hash BLOB PRIMARY KEY CHECK (length(key_hash) = 32),
	body_hash BLOB NOT NULL CHECK (length(body_hash) = 32),
	at INTEGER NOT NULL,
	status INTEGER NOT NULL,
	body TEXT NOT NULL
) STRICT;

CREATE TABLE token (
	no INTEGER PRIMARY KEY,
	id TEXT NOT NULL UNIQUE,
	hash BLOB NOT NULL UNIQUE CHECK (length(hash) = 32),
	role TEXT NOT NULL,
	tenant TEXT, -- NULL: all
	name TEXT NOT NULL,
	created_at INTEGER NOT NULL,
	expires_at INTEGER, -- NULL: never
	revoked_at INTEGER
) STRICT;
