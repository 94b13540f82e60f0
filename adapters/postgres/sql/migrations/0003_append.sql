-- Appends events: releases, takes and checks claims, inserts, wakes the readers, and returns the positions.
-- Why it is written this way: docs/decisions/0002-our-own-append-function.md and 0005-claims.md.
--
-- The advisory lock queues the writers as LOCK TABLE … IN EXCLUSIVE MODE would, but lets autovacuum work beside them.
-- LIMIT 1 in a lateral join keeps the planner at one index look-up per key. Without it the planner, which has no
-- statistics for arrays nor, at first, for the claims, would scan the claims again and again, and it would expect
-- the events after a position to be a third of the log.
CREATE FUNCTION append_to_events_1(
    ids uuid[], versions bigint[], topics text[], states bytea[], subscription uuid,
    released_kinds text[], released_keys text[], released_streams uuid[],
    taken_kinds text[], taken_keys text[], taken_streams uuid[],
    relied_on_kinds text[], relied_on_keys text[], relied_on_streams uuid[], licensed text[],
    absent text[], since bigint
) RETURNS SETOF bigint LANGUAGE plpgsql SET lock_timeout = '10s' AS $body$
BEGIN
    PERFORM pg_advisory_xact_lock('events'::regclass::oid::bigint);

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
        SELECT FROM generate_series(since + 1, (SELECT max(notification_id) FROM events)) AS position
        CROSS JOIN LATERAL (
            SELECT e.state FROM events AS e
            WHERE e.notification_id = position AND e.topic IN ('group.created', 'group.users-added') LIMIT 1
        ) AS joined
        CROSS JOIN LATERAL (SELECT convert_from(joined.state, 'UTF8')::jsonb AS body OFFSET 0) AS decoded
        WHERE body -> 'origin' ->> 'subscription_id' = subscription::text
          AND body -> 'event' -> 'users' ?| absent
    ) THEN
        RAISE EXCEPTION 'a user this append takes out of all groups has joined another' USING ERRCODE = 'unique_violation';
    END IF;

    PERFORM pg_notify(current_schema() || '_events', '');
    RETURN QUERY
        INSERT INTO events (originator_id, originator_version, topic, state)
        SELECT * FROM unnest(ids, versions, topics, states)
        RETURNING notification_id;
END
$body$;
