-- Has an append look up everything by its index. PostgreSQL keeps the plans of a function as long as nobody analyses the
-- tables: a process that planned while there were few claims read 200,000 of them for each append, for up to a minute.
-- If you replace one of these two functions, repeat its setting.
ALTER FUNCTION append_to_events_4 SET enable_seqscan = off;
ALTER FUNCTION append_to_events_5 SET enable_seqscan = off;

-- Does what it did. A released claim is found by its whole key: a join with all claims of the subscription was cheaper
-- as long as there were few.
CREATE OR REPLACE FUNCTION check_claims_1(
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
        DELETE FROM claims WHERE ctid = ANY(ARRAY(
            SELECT held.ctid FROM jsonb_to_recordset(asked -> 'released') AS r (kind text, key text, stream uuid)
            CROSS JOIN LATERAL (
                SELECT c.ctid, c.stream_id FROM claims AS c
                WHERE c.subscription_id = subscription AND c.kind = r.kind AND c.key = stored_key_1(r.key) LIMIT 1
            ) AS held
            WHERE held.stream_id = r.stream
        ));
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
