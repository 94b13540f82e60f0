-- Appends events as append_to_events_4 did, but not to a subscription that is closed. It is replaced rather than followed
-- by another one, so that processes of an earlier release, which know nothing of that, can't append to it either.
--
-- A claim of the kind 'closed' says that a subscription is closed, another one that it is erased. What can still happen
-- then is in application/ports.py, too (AFTER_CLOSING, AFTER_ERASING).
CREATE TABLE erasings (  -- the closed subscriptions that are being erased (docs/closing.md): how far that has come
    subscription_id uuid PRIMARY KEY,
    secret bytea NOT NULL,  -- what stands for people is made with it, until all is erased
    position bigint NOT NULL DEFAULT 0
);

CREATE FUNCTION check_open_1(subscription uuid, asked jsonb, topics text[]) RETURNS void LANGUAGE plpgsql AS $body$
DECLARE
    state text;
BEGIN
    SELECT max(key) INTO state FROM claims WHERE subscription_id = subscription AND kind = 'closed';
    IF state IS NOT NULL AND (cardinality(topics) = 0 OR NOT topics <@ CASE state
        WHEN 'closed' THEN ARRAY[
            'subscription.closed', 'access.revoked', 'token.revoked', 'file.downloaded', 'file.expired',
            'subscription.erasure-started', 'subscription.texts-erased', 'subscription.erased'
        ]
        ELSE ARRAY['token.revoked', 'subscription.erased']
    END) THEN
        RAISE EXCEPTION 'the subscription is closed' USING ERRCODE = 'object_not_in_prerequisite_state';
    END IF;
    IF asked ? 'no_runs' AND EXISTS (
        SELECT FROM events AS e
        WHERE e.subscription_id = subscription AND e.notification_id > (asked ->> 'no_runs')::bigint
          AND e.topic IN ('import.commit-started', 'import.undo-started')
    ) THEN
        RAISE EXCEPTION 'an import was started since' USING ERRCODE = 'unique_violation';
    END IF;
END
$body$;

CREATE OR REPLACE FUNCTION append_to_events_4(
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
    IF EXISTS (SELECT FROM claims WHERE subscription_id = subscription AND kind = 'closed') THEN
        PERFORM check_open_1(subscription, asked, topics);
    END IF;
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
