-- A key of a subscription (a group's name, a licensed address, a request) belongs to one stream.
CREATE TABLE IF NOT EXISTS {schema}.{claims} (
    subscription_id uuid NOT NULL,
    kind text NOT NULL,
    key text NOT NULL,
    stream_id uuid NOT NULL,
    PRIMARY KEY (subscription_id, kind, key)
)
