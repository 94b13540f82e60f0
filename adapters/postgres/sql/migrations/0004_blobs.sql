CREATE TABLE blobs (
    subscription_id uuid NOT NULL,
    kind text NOT NULL,
    sha256 text NOT NULL,
    chunks integer NOT NULL,
    PRIMARY KEY (subscription_id, kind, sha256)
);
CREATE TABLE blob_chunks (
    subscription_id uuid NOT NULL,
    kind text NOT NULL,
    sha256 text NOT NULL,
    number integer NOT NULL,
    body bytea NOT NULL,
    PRIMARY KEY (subscription_id, kind, sha256, number)
);
