-- SPDX-License-Identifier: Apache-2.0
-- What people may read: ids with their prefixes, RFC 3339 times, names. docs/sql.md describes them.

CREATE VIEW v_run AS
SELECT
	'r_' || lower(substr(hex(id), 1, 8) || '-' || substr(hex(id), 9, 4) || '-' ||
		substr(hex(id), 13, 4) || '-' || substr(hex(id), 17, 4) || '-' ||
		substr(hex(id), 21)) AS id,
	name, kind, state, workflow, agent, user, project, tenant, platform, submitted_by,
	strftime('%Y-%m-%dT%H:%M:%S', created_at / 1000, 'unixepoch') ||
		printf('.%03dZ', created_at % 1000) AS created_at,
	strftime('%Y-%m-%dT%H:%M:%S', started_at / 1000, 'unixepoch') ||
		printf('.%03dZ', started_at % 1000) AS started_at,
	strftime('%Y-%m-%dT%H:%M:%S', ended_at / 1000, 'unixepoch') ||
		printf('.%03dZ', ended_at % 1000) AS ended_at,
	active_ms, paused,
	CASE state WHEN 'running' THEN (SELECT seq FROM head WHERE head.run_no = run.no)
		ELSE seq END AS seq,
	lower(hex(CASE state WHEN 'running' THEN (SELECT hash FROM head WHERE head.run_no = run.no)
		ELSE hash END)) AS hash,
	error_code, error, no AS run_no
FROM run;

CREATE VIEW v_step AS
SELECT
	r.id AS run, s.id, s.uses, (s.no >> 11) & 2047 AS step, s.no & 2047 AS item,
	s.state, s.item_state, s.attempt,
	strftime('%Y-%m-%dT%H:%M:%S', s.started_at / 1000, 'unixepoch') ||
		printf('.%03dZ', s.started_at % 1000) AS started_at,
	strftime('%Y-%m-%dT%H:%M:%S', s.ended_at / 1000, 'unixepoch') ||
		printf('.%03dZ', s.ended_at % 1000) AS ended_at,
	s.output, s.citations, s.error_code, s.error, r.run_no
FROM step s JOIN v_run r ON r.run_no = s.no >> 22;

CREATE VIEW v_account AS
SELECT
	a.scope,
	CASE
		WHEN a.scope_no IS NOT NULL THEN w.id
		WHEN a.scope = 'run' THEN r.id
		ELSE s.id
	END AS scope_id,
	r.id AS run,
	a.meter, NULL AS window,
	CASE WHEN a."limit" < 0 THEN NULL ELSE a."limit" END AS "limit",
	a.granted, a.settled, a.held, a.overrun,
	CASE WHEN a."limit" < 0 THEN NULL
		ELSE max(0, a."limit" + a.granted - a.settled - a.held) END AS remaining,
	a.no
FROM account a
LEFT JOIN scope w ON w.no = a.scope_no
LEFT JOIN v_run r ON a.no >= 0 AND r.run_no = a.no >> 20
LEFT JOIN step s ON a.scope = 'step' AND a.no >= 0
	AND s.no = ((a.no >> 20) << 22) | ((((a.no >> 8) & 4095) - 1) << 11);

CREATE VIEW v_call AS
SELECT
	'c_' || lower(substr(hex(c.id), 1, 8) || '-' || substr(hex(c.id), 9, 4) || '-' ||
		substr(hex(c.id), 13, 4) || '-' || substr(hex(c.id), 17, 4) || '-' ||
		substr(hex(c.id), 21)) AS id,
	c.attempt, r.id AS run, s.id AS step, c.item, c.kind, c.state, c.intent, c.params,
	lower(hex(c.params_hash)) AS params_hash,
	strftime('%Y-%m-%dT%H:%M:%S', c.at / 1000, 'unixepoch') ||
		printf('.%03dZ', c.at % 1000) AS at,
	strftime('%Y-%m-%dT%H:%M:%S', c.ended_at / 1000, 'unixepoch') ||
		printf('.%03dZ', c.ended_at % 1000) AS ended_at,
	c.result, c.hold, c.no, c.run_no
FROM call c
JOIN v_run r ON r.run_no = c.run_no
LEFT JOIN step s ON s.no = (c.run_no << 22) | (c.step << 11);

CREATE VIEW v_hold AS
SELECT
	'h_' || lower(substr(hex(h.id), 1, 8) || '-' || substr(hex(h.id), 9, 4) || '-' ||
		substr(hex(h.id), 13, 4) || '-' || substr(hex(h.id), 17, 4) || '-' ||
		substr(hex(h.id), 21)) AS id,
	c.id AS call, c.attempt, c.run, c.step,
	strftime('%Y-%m-%dT%H:%M:%S', h.at / 1000, 'unixepoch') ||
		printf('.%03dZ', h.at % 1000) AS since,
	c.state, h.amounts, c.intent AS reason, h.no, h.run_no
FROM hold h JOIN v_call c ON c.no = h.no;

CREATE VIEW v_settlement AS
SELECT
	h.id AS hold, h.call, h.run, h.step,
	strftime('%Y-%m-%dT%H:%M:%S', t.at / 1000, 'unixepoch') ||
		printf('.%03dZ', t.at % 1000) AS at,
	t.voided, t.estimated, h.amounts AS held, t.used, t.overrun, t.by
FROM settlement t JOIN v_hold h ON h.no = t.hold;

CREATE VIEW v_grant AS
SELECT
	g.no, r.id AS run,
	CASE WHEN g.step < 0 THEN 'run' ELSE 'step' END AS scope,
	CASE WHEN g.step < 0 THEN r.id ELSE s.id END AS scope_id,
	g.meter, g.amount,
	strftime('%Y-%m-%dT%H:%M:%S', g.at / 1000, 'unixepoch') ||
		printf('.%03dZ', g.at % 1000) AS at,
	g.by, g.reason,
	CASE WHEN g.halt IS NULL THEN NULL ELSE
		'halt_' || lower(substr(hex(g.halt), 1, 8) || '-' || substr(hex(g.halt), 9, 4) ||
			'-' || substr(hex(g.halt), 13, 4) || '-' || substr(hex(g.halt), 17, 4) ||
			'-' || substr(hex(g.halt), 21)) END AS halt
FROM grant_ g
JOIN v_run r ON r.run_no = g.run_no
LEFT JOIN step s ON g.step >= 0 AND s.no = (g.run_no << 22) | (g.step << 11);

CREATE VIEW v_event AS
SELECT
	e.seq,
	strftime('%Y-%m-%dT%H:%M:%S', e.at / 1000, 'unixepoch') ||
		printf('.%03dZ', e.at % 1000) AS at,
	r.id AS run, e.step, e.item,
	CASE WHEN e.call IS NULL THEN NULL ELSE
		'c_' || lower(substr(hex(e.call), 1, 8) || '-' || substr(hex(e.call), 9, 4) || '-' ||
			substr(hex(e.call), 13, 4) || '-' || substr(hex(e.call), 17, 4) || '-' ||
			substr(hex(e.call), 21)) END AS call,
	e.type, e.data, lower(hex(e.hash)) AS hash, e.no, f.run_no
FROM event f
JOIN event e ON e.no >= f.no AND e.no < f.no + f.n
JOIN v_run r ON r.run_no = f.run_no
WHERE f.n > 0;
