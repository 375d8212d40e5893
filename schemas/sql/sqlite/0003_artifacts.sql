-- SPDX-License-Identifier: Apache-2.0
-- Files that jobs left. The content is data, not text to be shown: it is sealed. Its hash is of
-- what was sealed.

CREATE TABLE artifact (
	no INTEGER PRIMARY KEY, -- call << 8 | n
	run_no INTEGER NOT NULL REFERENCES run (no),
	step INTEGER NOT NULL,
	item INTEGER NOT NULL,
	call BLOB NOT NULL CHECK (length(call) = 16),
	attempt INTEGER NOT NULL CHECK (attempt >= 1),
	at INTEGER NOT NULL,
	path TEXT NOT NULL,
	bytes INTEGER NOT NULL CHECK (bytes >= 0),
	hash BLOB NOT NULL CHECK (length(hash) = 32), -- BLAKE2b-256
	sealed_content BLOB NOT NULL
) STRICT;
CREATE INDEX artifact_of_run ON artifact (run_no);

CREATE VIEW v_artifact AS
SELECT
	r.id AS run, s.id AS step, a.item,
	'c_' || lower(substr(hex(a.call), 1, 8) || '-' || substr(hex(a.call), 9, 4) || '-' ||
		substr(hex(a.call), 13, 4) || '-' || substr(hex(a.call), 17, 4) || '-' ||
		substr(hex(a.call), 21)) AS call,
	a.attempt,
	strftime('%Y-%m-%dT%H:%M:%S', a.at / 1000, 'unixepoch') ||
		printf('.%03dZ', a.at % 1000) AS at,
	a.path, a.bytes, lower(hex(a.hash)) AS hash, a.no, a.run_no
FROM artifact a
JOIN v_run r ON r.run_no = a.run_no
LEFT JOIN step s ON s.no = (a.run_no << 22) | (a.step << 11);
