CREATE TABLE events (
    originator_id uuid NOT NULL,
    originator_version bigint NOT NULL,
    topic text NOT NULL,
    state bytea NOT NULL,
    notification_id bigserial UNIQUE,
    PRIMARY KEY (originator_id, originator_version)
) WITH (autovacuum_analyze_threshold = 1000, autovacuum_analyze_scale_factor = 0.01);
CREATE TABLE snapshots (
    originator_id uuid NOT NULL,
    originator_version bigint NOT NULL,
    topic text NOT NULL,
    state bytea NOT NULL,
    PRIMARY KEY (originator_id, originator_version)
);
-- A key of a subscription (a group's name, a licensed address, a request) belongs to one stream.
CREATE TABLE claims (
    subscription_id uuid NOT NULL,
    kind text NOT NULL,
    key text NOT NULL,
    stream_id uuid NOT NULL,
    PRIMARY KEY (subscription_id, kind, key)
);
