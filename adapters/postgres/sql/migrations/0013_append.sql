-- As append_to_events_2, and returns which append was the last one before this. Nobody can append in between, so whoever
-- knows the log up to there knows it up to the end of this append as well, without reading it.
CREATE FUNCTION append_to_events_3(
    append_id uuid, subscription uuid, happened_at timestamptz, origin_text text, patience_ms integer,
    ids uuid[], versions bigint[], topics text[], states bytea[], import_groups integer[], asked jsonb,
    OUT last_position bigint, OUT position_before bigint, OUT append_before uuid
) LANGUAGE plpgsql AS $body$
BEGIN
    last_position := append_to_events_2(
        append_id, subscription, happened_at, origin_text, patience_ms,
        ids, versions, topics, states, import_groups, asked
    );
    SELECT position, id INTO position_before, append_before
    FROM appends WHERE position < last_position ORDER BY position DESC LIMIT 1;
END
$body$;
