-- Appends events: releases, takes and checks claims, inserts, wakes the readers, and returns the position of the last one
-- (0 without events). Why it is written this way: docs/decisions/0002-our-own-append-function.md and 0005-claims.md.
--
-- The advisory lock queues the writers as LOCK TABLE … IN EXCLUSIVE MODE would, but lets autovacuum work beside them.
-- LIMIT 1 in a lateral join keeps the planner at one index look-up per key. Without it the planner, which has no
-- statistics for arrays nor, at first, for the claims, would scan the claims again and again.
CREATE FUNCTION append_to_events_1(
    append_id uuid, subscription uuid, happened_at timestamptz, origin_text text, patience_ms integer,
    ids uuid[], versions bigint[], topics text[], states bytea[], import_groups integer[],
    released_kinds text[], released_keys text[], released_streams uuid[],
    taken_kinds text[], taken_keys text[], taken_streams uuid[],
    relied_on_kinds text[], relied_on_keys text[], relied_on_streams uuid[], licensed text[],
    absent text[], since bigint,
    request_key text, request_fingerprint uuid
) RETURNS bigint LANGUAGE plpgsql AS $body$
DECLARE
    event_count CONSTANT integer := cardinality(ids);
    last_position bigint := 0;
BEGIN
    PERFORM set_config('lock_timeout', patience_ms || 'ms', true);
    PERFORM pg_advisory_xact_lock('events'::regclass::oid::bigint);

    -- An append whose answer was lost is sent again with its id.
    SELECT a.position INTO last_position FROM events AS e JOIN appends AS a ON a.position = e.append_position
    WHERE e.originator_id = ids[1] AND e.originator_version = versions[1] AND a.id = append_id;
    IF FOUND THEN
        RETURN last_position;
    END IF;

    IF request_key IS NOT NULL THEN
        DELETE FROM request_keys AS r USING (
            SELECT subscription_id, key FROM request_keys
            WHERE at < happened_at - interval '7 days' ORDER BY at LIMIT 10
        ) AS old
        WHERE (r.subscription_id, r.key) = (old.subscription_id, old.key);
        INSERT INTO request_keys VALUES (subscription, request_key, request_fingerprint, happened_at);
    END IF;

    IF cardinality(released_keys) > 0 THEN
        DELETE FROM claims AS c
        USING unnest(released_kinds, released_keys, released_streams) AS r (kind, key, stream_id)
        WHERE c.subscription_id = subscription
          AND (c.kind, c.key, c.stream_id) = (r.kind, r.key, r.stream_id);
    END IF;

    IF cardinality(taken_keys) > 0 THEN
        INSERT INTO claims (subscription_id, kind, key, stream_id)
        SELECT subscription, kind, key, stream_id
        FROM unnest(taken_kinds, taken_keys, taken_streams) AS t (kind, key, stream_id);
    END IF;

    IF cardinality(relied_on_keys) > 0 AND EXISTS (
        SELECT FROM unnest(relied_on_kinds, relied_on_keys, relied_on_streams) AS r (kind, key, stream_id)
        LEFT JOIN LATERAL (
            SELECT c.stream_id FROM claims AS c
            WHERE c.subscription_id = subscription AND c.kind = r.kind AND c.key = r.key LIMIT 1
        ) AS held ON true
        WHERE held.stream_id IS DISTINCT FROM r.stream_id
    ) THEN
        RAISE EXCEPTION 'a claim this append relies on no longer holds' USING ERRCODE = 'unique_violation';
    END IF;

    IF cardinality(licensed) > 0 AND EXISTS (
        SELECT FROM unnest(licensed) AS l (key)
        LEFT JOIN LATERAL (
            SELECT c.key FROM claims AS c
            WHERE c.subscription_id = subscription AND c.kind = 'licence' AND c.key = l.key LIMIT 1
        ) AS held ON true
        WHERE held.key IS NULL
    ) THEN
        RAISE EXCEPTION 'a licence this append relies on was revoked' USING ERRCODE = 'unique_violation';
    END IF;

    IF cardinality(absent) > 0 AND EXISTS (
        SELECT FROM events AS e
        WHERE e.subscription_id = subscription AND e.notification_id > since
          AND e.topic IN ('group.created', 'group.users-added')
          AND convert_from(e.state, 'UTF8')::jsonb -> 'users' ?| absent
    ) THEN
        RAISE EXCEPTION 'a user this append takes out of all groups has joined another' USING ERRCODE = 'unique_violation';
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
