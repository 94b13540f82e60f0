CREATE TABLE sessions (
    secret_sha256 bytea PRIMARY KEY,
    session_id uuid UNIQUE NOT NULL DEFAULT gen_random_uuid(),
    email text NOT NULL,
    name text NOT NULL,
    way text NOT NULL,
    browser text NOT NULL,
    network text NOT NULL,
    proven boolean NOT NULL,
    started_at timestamptz NOT NULL DEFAULT now(),
    used_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX sessions_of_people ON sessions (email);
CREATE TABLE tickets (
    secret_sha256 bytea PRIMARY KEY,
    kind text NOT NULL,
    content jsonb NOT NULL,
    expires_at timestamptz NOT NULL
);
