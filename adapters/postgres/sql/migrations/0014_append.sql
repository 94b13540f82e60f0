-- Appends events as append_to_events_2 did. Taken claims come by kind, each with a list of keys and one of streams: with an
-- object for each, 100,000 of them took half as long again. Without streams, they belong to the subscription's.
CREATE FUNCTION append_to_events_4(
    append_id uuid, subscription uuid, happened_at timestamptz, origin_text text, patience_ms integer,
    ids uuid[], versions bigint[], topics text[], states bytea[], import_groups integer[], asked jsonb
) RETURNS bigint LANGUAGE plpgsql AS $body$
DECLARE
    event_count CONSTANT integer := cardinality(ids);
    last_position bigint;
BEGIN
    PERFORM set_config('lock_timeout', patience_ms || 'ms', true);
    IF asked ? 'taken' THEN
        INSERT INTO claims (subscription_id, kind, key, stream_id)
        SELECT subscription, t.kind, stored_key_1(c.key) AS key, coalesce(c.stream::uuid, subscription)
        FROM jsonb_to_recordset(asked -> 'taken') AS t (kind text, keys jsonb, streams jsonb)
        CROSS JOIN ROWS FROM (
            jsonb_array_elements_text(t.keys), jsonb_array_elements_text(t.streams)
        ) AS c (key, stream)
        ORDER BY 2, 3;  -- kind and key
    END IF;
    PERFORM pg_advisory_xact_lock('events'::regclass::oid::bigint);
    IF asked IS NOT NULL THEN
        PERFORM check_claims_1(subscription, happened_at, asked, topics, states);
    END IF;
    IF event_count = 0 THEN
        RETURN 0;
    END IF;

    last_position := setval('positions', nextval('positions') + event_count - 1);
    INSERT INTO appends (position, id, subscription_id, at, origin)
    VALUES (last_position, append_id, subscription, happened_at, origin_text::jsonb);
    INSERT INTO events (
        notification_id, append_position, originator_id, originator_version, subscription_id, import_group, topic, state
    )
    SELECT last_position - event_count + number, last_position, id, version, subscription, import_group, topic, state
    FROM unnest(ids, versions, topics, states, import_groups)
         WITH ORDINALITY AS new (id, version, topic, state, import_group, number);
    PERFORM pg_notify(current_schema() || '_events', '');
    RETURN last_position;
END
$body$;

-- The same, and which append was the last one before this (see append_to_events_3).
CREATE FUNCTION append_to_events_5(
    append_id uuid, subscription uuid, happened_at timestamptz, origin_text text, patience_ms integer,
    ids uuid[], versions bigint[], topics text[], states bytea[], import_groups integer[], asked jsonb,
    OUT last_position bigint, OUT position_before bigint, OUT append_before uuid
) LANGUAGE plpgsql AS $body$
BEGIN
    last_position := append_to_events_4(
        append_id, subscription, happened_at, origin_text, patience_ms,
        ids, versions, topics, states, import_groups, asked
    );
    SELECT position, id INTO position_before, append_before
    FROM appends WHERE position < last_position ORDER BY position DESC LIMIT 1;
END
$body$;
