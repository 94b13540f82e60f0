-- The Merkle tree over the log (docs/decisions/0034-tamper-evidence.md). Up to 256 leaves a row: their positions in the
-- log, the salts of the events and of their origins, and the hashes of the leaves, each one after the other. Only the
-- origins' salts can be compressed, because all events of an append share one.
CREATE TABLE tree_leaves (
    number bigint PRIMARY KEY,
    last_position bigint NOT NULL UNIQUE,
    positions bytea NOT NULL,
    event_salts bytea NOT NULL,
    origin_salts bytea NOT NULL,
    hashes bytea NOT NULL
);
ALTER TABLE tree_leaves
    ALTER COLUMN positions SET STORAGE EXTERNAL,
    ALTER COLUMN event_salts SET STORAGE EXTERNAL,
    ALTER COLUMN hashes SET STORAGE EXTERNAL;
-- The nodes above full rows: at level 1 each stands for 256 leaves, at level 2 for 65,536.
CREATE TABLE tree_nodes (
    level smallint NOT NULL,
    number bigint NOT NULL,
    hashes bytea NOT NULL,
    PRIMARY KEY (level, number)
);
ALTER TABLE tree_nodes ALTER COLUMN hashes SET STORAGE EXTERNAL;
-- The checkpoints that were signed, as they were. They cannot be made again.
CREATE TABLE checkpoints (
    origin text NOT NULL,
    size bigint NOT NULL,
    note text NOT NULL,
    at timestamptz NOT NULL,
    PRIMARY KEY (origin, size)
);
CREATE INDEX checkpoints_by_time ON checkpoints (at, size);
