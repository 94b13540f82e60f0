-- How far each view has come, and what wrote it: docs/decisions/0014-fingerprints-of-views.md and 0015-a-log-that-went-back.md.
CREATE TABLE view_positions (
    view text PRIMARY KEY,
    position bigint NOT NULL,  -- of the last event that the view shows, 0 for none
    proof text NOT NULL,  -- a digest that says which event that was, because a log that went back grows past it again
    fingerprint text NOT NULL  -- of the view's SQL and handlers, empty if the view is to be rebuilt in any case
);
