-- Appends events as append_to_events_1 did, with fewer statements under the lock. Why it is written this way:
-- docs/decisions/0002-our-own-append-function.md, 0005-claims.md and 0016-appends.md.
DROP FUNCTION append_to_events_1;

-- A key as it is stored: its digest if it is too long for the index, whose entries have at most 2,704 bytes. Keys contain
-- no control characters, so none equals the digest of another.
CREATE FUNCTION stored_key_1(key text) RETURNS text LANGUAGE sql AS $body$
    SELECT CASE WHEN octet_length(key) > 1000 THEN E'\x01' || encode(sha256(convert_to(key, 'UTF8')), 'hex') ELSE key END
$body$;

-- Does what an append asks of the claims under the lock, and checks what it relies on; `asked` is a `ports.Claims` in JSON.
--
-- LIMIT 1 in a lateral join keeps the planner at one index look-up per key. Without it the planner, which has no
-- statistics for what is asked nor, at first, for the claims, would scan the claims again and again.
CREATE FUNCTION check_claims_1(
    subscription uuid, happened_at timestamptz, asked jsonb, topics text[], states bytea[]
) RETURNS void LANGUAGE plpgsql AS $body$
DECLARE
    emails text[];
BEGIN
    IF asked ? 'request' THEN
        DELETE FROM request_keys AS r USING (
            SELECT subscription_id, key FROM request_keys
            WHERE at < happened_at - interval '7 days' ORDER BY at LIMIT 10
        ) AS old
        WHERE (r.subscription_id, r.key) = (old.subscription_id, old.key);
        INSERT INTO request_keys
        VALUES (subscription, asked -> 'request' ->> 'key', (asked -> 'request' ->> 'fingerprint')::uuid, happened_at);
    END IF;

    IF asked ? 'released' THEN
        DELETE FROM claims AS c
        USING jsonb_to_recordset(asked -> 'released') AS r (kind text, key text, stream uuid)
        WHERE c.subscription_id = subscription AND (c.kind, c.key, c.stream_id) = (r.kind, stored_key_1(r.key), r.stream);
    END IF;

    IF asked ? 'relied_on' AND EXISTS (
        SELECT FROM jsonb_to_recordset(asked -> 'relied_on') AS r (kind text, key text, stream uuid)
        LEFT JOIN LATERAL (
            SELECT c.stream_id FROM claims AS c
            WHERE c.subscription_id = subscription AND c.kind = r.kind AND c.key = stored_key_1(r.key) LIMIT 1
        ) AS held ON true
        WHERE held.stream_id IS DISTINCT FROM r.stream
    ) THEN
        RAISE EXCEPTION 'a claim this append relies on no longer holds' USING ERRCODE = 'unique_violation';
    END IF;

    IF asked ? 'licences_at' THEN
        emails := ARRAY(
            SELECT jsonb_array_elements_text(convert_from(e.state, 'UTF8')::jsonb -> 'emails') FROM events AS e
            WHERE e.originator_id = subscription AND e.originator_version > (asked ->> 'licences_at')::bigint
              AND e.topic = 'licences.revoked'
        );
        IF cardinality(emails) > 0 AND EXISTS (
            SELECT FROM unnest(topics, states) AS new (topic, state)
            WHERE topic IN ('group.created', 'group.users-added')
              AND convert_from(state, 'UTF8')::jsonb -> 'users' ?| emails
        ) THEN
            RAISE EXCEPTION 'a licence this append relies on was revoked' USING ERRCODE = 'unique_violation';
        END IF;
    END IF;

    IF asked ? 'licences_at' AND EXISTS (
        SELECT FROM events AS e, jsonb_array_elements(convert_from(e.state, 'UTF8')::jsonb -> 'users') AS licensed
        JOIN (
            SELECT jsonb_array_elements_text(convert_from(state, 'UTF8')::jsonb -> 'users') AS email
            FROM unnest(topics, states) AS new (topic, state) WHERE topic = 'import.users-left-out'
        ) AS left_out ON left_out.email = licensed ->> 'email'
        WHERE e.originator_id = subscription AND e.originator_version > (asked ->> 'licences_at')::bigint
          AND e.topic = 'licences.allocated'
    ) THEN
        RAISE EXCEPTION 'a user whom this append leaves out has got a licence' USING ERRCODE = 'unique_violation';
    END IF;

    IF asked ? 'no_joins' THEN
        emails := ARRAY(SELECT jsonb_array_elements_text(asked -> 'no_joins' -> 'emails'));
        IF EXISTS (
            SELECT FROM events AS e
            WHERE e.subscription_id = subscription AND e.notification_id > (asked -> 'no_joins' ->> 'since')::bigint
              AND e.topic IN ('group.created', 'group.users-added')
              AND convert_from(e.state, 'UTF8')::jsonb -> 'users' ?| emails
        ) THEN
            RAISE EXCEPTION 'a user this append takes out of all groups has joined another' USING ERRCODE = 'unique_violation';
        END IF;
    END IF;
END
$body$;

-- Appends events: takes claims, releases and checks others, inserts, wakes the readers, and returns the position of the
-- last one (0 without events). `asked` is NULL if the append has nothing to do with claims.
--
-- The advisory lock queues the writers as LOCK TABLE … IN EXCLUSIVE MODE would, but lets autovacuum work beside them.
-- Claims are taken before it, because 100,000 of them take long. Everybody takes them in the same order, so that nobody
-- waits for somebody who waits for them. Nobody who holds the lock waits for a claim.
CREATE FUNCTION append_to_events_2(
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
        SELECT subscription, kind, stored_key_1(key), stream
        FROM jsonb_to_recordset(asked -> 'taken') AS t (kind text, key text, stream uuid)
        ORDER BY kind, stored_key_1(key);
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
