-- When a blob was stored last: files are erased after their retention, unless they were uploaded again since.
ALTER TABLE blobs ADD COLUMN stored_at timestamptz NOT NULL DEFAULT now();
CREATE INDEX blobs_of_files_by_age ON blobs (stored_at, subscription_id, sha256) WHERE kind = 'file';
