DO $$ BEGIN  -- drops a table of an earlier shape: everybody signs in again
    IF NOT EXISTS (
        SELECT FROM information_schema.columns
        WHERE table_schema = current_schema() AND table_name = 'sessions' AND column_name = 'proven'
    ) THEN
        DROP TABLE IF EXISTS sessions;
    END IF;
END $$;
CREATE TABLE IF NOT EXISTS sessions (
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
CREATE INDEX IF NOT EXISTS sessions_of_people ON sessions (email);
CREATE TABLE IF NOT EXISTS tickets (
    secret_sha256 bytea PRIMARY KEY,
    kind text NOT NULL,
    content jsonb NOT NULL,
    expires_at timestamptz NOT NULL
);
