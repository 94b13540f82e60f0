-- Why the last batch of a commit failed. A row counts only as long as the import is at that version.
CREATE TABLE commit_failures (
    import_id uuid PRIMARY KEY,
    version bigint NOT NULL,
    message text NOT NULL,
    failures integer NOT NULL,
    failed_at timestamptz NOT NULL,
    retry_at timestamptz NOT NULL
);
