-- Which of these files were applied, and when; `sha256` is that of the file.
CREATE TABLE migrations (
    number integer PRIMARY KEY,
    name text NOT NULL,
    sha256 text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
);
