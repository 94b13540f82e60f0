CREATE TABLE token_last_uses (
    token_id uuid PRIMARY KEY,
    at timestamptz NOT NULL
);
