-- Records whose texts were erased, because they named a person who was forgotten (docs/forgetting.md): the commitments to
-- the texts as they were sealed, without which nobody could compute the leaf. NULL for a text that was not erased.
CREATE TABLE erasures (
    position bigint PRIMARY KEY,
    event_commitment bytea,
    origin_commitment bytea
);
