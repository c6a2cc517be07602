-- A database as release 0.1.0 made it: no revision, two runs.
CREATE TABLE run (
	id VARCHAR NOT NULL, graph_name VARCHAR NOT NULL, graph_sha256 VARCHAR NOT NULL, software_version VARCHAR NOT NULL,
	inputs JSON NOT NULL, status VARCHAR NOT NULL, started_at DATETIME NOT NULL, finished_at DATETIME, error JSON,
	environment JSON NOT NULL, host VARCHAR NOT NULL, pid INTEGER NOT NULL, process_token VARCHAR NOT NULL,
	CONSTRAINT pk_run PRIMARY KEY (id)
);
CREATE INDEX ix_run_graph_name ON run (graph_name);
CREATE INDEX ix_run_started_at ON run (started_at);
CREATE INDEX ix_run_status ON run (status);
CREATE TABLE artifact (
	id INTEGER NOT NULL, run_id VARCHAR NOT NULL, sha256 VARCHAR NOT NULL, kind VARCHAR NOT NULL, bytes INTEGER NOT NULL,
	CONSTRAINT pk_artifact PRIMARY KEY (id),
	CONSTRAINT fk_artifact_run_id_run FOREIGN KEY(run_id) REFERENCES run (id)
);
CREATE INDEX ix_artifact_run_id ON artifact (run_id);
CREATE INDEX ix_artifact_sha256 ON artifact (sha256);
CREATE TABLE interpretation (
	id INTEGER NOT NULL, run_id VARCHAR NOT NULL, variant VARCHAR NOT NULL, build VARCHAR, genes JSON NOT NULL,
	verdict VARCHAR NOT NULL, max_score FLOAT NOT NULL, schema_version VARCHAR NOT NULL, provenance JSON NOT NULL,
	document JSON NOT NULL,
	CONSTRAINT pk_interpretation PRIMARY KEY (id),
	CONSTRAINT uq_interpretation_run_id UNIQUE (run_id),
	CONSTRAINT fk_interpretation_run_id_run FOREIGN KEY(run_id) REFERENCES run (id)
);
CREATE INDEX ix_interpretation_variant ON interpretation (variant);
CREATE TABLE step (
	id INTEGER NOT NULL, run_id VARCHAR NOT NULL, node VARCHAR NOT NULL, tool VARCHAR NOT NULL, attempt INTEGER NOT NULL,
	started_at DATETIME NOT NULL, seconds FLOAT NOT NULL, status VARCHAR NOT NULL, error JSON,
	CONSTRAINT pk_step PRIMARY KEY (id),
	CONSTRAINT fk_step_run_id_run FOREIGN KEY(run_id) REFERENCES run (id)
);
CREATE INDEX ix_step_run_id ON step (run_id);

INSERT INTO run VALUES (
	'a1b2c3', 'interpret_variant', '0000000000000000000000000000000000000000000000000000000000000000', '0.1.0',
	'{"variant": "chr1-5-A-G", "distance": 50, "annotation": null}', 'succeeded', '2026-03-01 12:00:00.000000',
	'2026-03-01 12:00:02.500000', 'null', '{"python": "3.11.7"}', 'a-machine', 77, 'boot:1'
);
INSERT INTO run VALUES (
	'd4e5f6', 'interpret_variant', '0000000000000000000000000000000000000000000000000000000000000000', '0.1.0',
	'{"variant": "nonsense"}', 'failed', '2026-03-02 12:00:00.000000', '2026-03-02 12:00:01.000000',
	'{"code": "invalid_variant", "message": "no variant", "advice": "", "node": "resolve"}', '{}', 'a-machine', 78, ''
);
INSERT INTO step VALUES (1, 'a1b2c3', 'score', 'score_variant', 1, '2026-03-01 12:00:01.000000', 1.5, 'succeeded', 'null');
INSERT INTO artifact VALUES (
	1, 'a1b2c3', 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa', 'tracks', 1234
);
INSERT INTO interpretation VALUES (
	1, 'a1b2c3', 'chr1-5-A-G', 'GRCh38', '["MLH1"]', 'splice-altering', 0.97, '1', '[]', '{"schema_version": "1"}'
);
