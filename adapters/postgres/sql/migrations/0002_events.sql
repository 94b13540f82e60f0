-- What the events of one append have in common. `position` is that of its last event, and `id` tells whether an append
-- whose answer was lost is stored.
CREATE TABLE appends (
    position bigint PRIMARY KEY,
    id uuid NOT NULL,
    subscription_id uuid NOT NULL,
    at timestamptz NOT NULL,
    origin jsonb NOT NULL
);
-- `append_position` is that of its append: no foreign key, because nobody else writes here, and checking one takes time.
CREATE TABLE events (
    notification_id bigint NOT NULL UNIQUE,
    append_position bigint NOT NULL,
    originator_id uuid NOT NULL,
    originator_version bigint NOT NULL,
    subscription_id uuid NOT NULL,
    import_group integer,
    topic text NOT NULL,
    state bytea NOT NULL,
    PRIMARY KEY (originator_id, originator_version)
) WITH (autovacuum_analyze_threshold = 1000, autovacuum_analyze_scale_factor = 0.01);
CREATE INDEX events_of_subscriptions ON events (subscription_id, notification_id);
CREATE SEQUENCE positions OWNED BY events.notification_id;
CREATE VIEW records AS
SELECT e.notification_id, e.originator_id, e.originator_version, e.topic, e.state, e.import_group,
       e.subscription_id, a.at, a.origin::text AS origin
FROM events AS e JOIN appends AS a ON a.position = e.append_position;
CREATE TABLE snapshots (
    originator_id uuid NOT NULL,
    originator_version bigint NOT NULL,
    topic text NOT NULL,
    state bytea NOT NULL,
    PRIMARY KEY (originator_id, originator_version)
);
-- A key of a subscription (a group's name, a licensed address) belongs to one stream.
CREATE TABLE claims (
    subscription_id uuid NOT NULL,
    kind text NOT NULL,
    key text NOT NULL,
    stream_id uuid NOT NULL,
    PRIMARY KEY (subscription_id, kind, key)
);
-- The keys of requests that were carried out lately, each with a fingerprint of its request.
CREATE TABLE request_keys (
    subscription_id uuid NOT NULL,
    key text NOT NULL,
    fingerprint uuid NOT NULL,
    at timestamptz NOT NULL,
    PRIMARY KEY (subscription_id, key)
);
CREATE INDEX request_keys_by_age ON request_keys (at);
