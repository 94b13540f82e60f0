"""The event store's SQL: the claims' table, the function that appends, and what is read.

See docs/decisions/0002-our-own-append-function.md and 0005-claims.md for why it is as it is.
"""

from __future__ import annotations

from psycopg.sql import SQL

CREATE_CLAIMS = SQL("""
    CREATE TABLE IF NOT EXISTS {schema}.{claims} (
        subscription_id uuid NOT NULL,
        kind text NOT NULL,
        key text NOT NULL,
        stream_id uuid NOT NULL,
        PRIMARY KEY (subscription_id, kind, key)
    )
""")

# LIMIT keeps the planner at one index look-up a key, here and below: it has no statistics for arrays nor, at first, for
# the claims, and would read all of them again and again; and it takes what is behind a position for a third of the log.
# The advisory lock queues the writers as LOCK TABLE … IN EXCLUSIVE MODE would, but lets autovacuum work beside them.
CREATE_APPEND = SQL("""
    CREATE OR REPLACE FUNCTION {schema}.{append}(
        ids uuid[], versions bigint[], topics text[], states bytea[], subscription uuid,
        released_kinds text[], released_keys text[], released_streams uuid[],
        taken_kinds text[], taken_keys text[], taken_streams uuid[],
        relied_on_kinds text[], relied_on_keys text[], relied_on_streams uuid[], licensed text[],
        absent text[], since bigint
    ) RETURNS SETOF bigint LANGUAGE plpgsql AS $body$
    BEGIN
        PERFORM set_config('lock_timeout', {lock_timeout}, true);
        PERFORM pg_advisory_xact_lock({lock});

        IF cardinality(released_keys) > 0 THEN
            DELETE FROM {schema}.{claims} AS c
            USING unnest(released_kinds, released_keys, released_streams) AS r (kind, key, stream_id)
            WHERE c.subscription_id = subscription
              AND (c.kind, c.key, c.stream_id) = (r.kind, r.key, r.stream_id);
        END IF;

        IF cardinality(taken_keys) > 0 THEN
            INSERT INTO {schema}.{claims} (subscription_id, kind, key, stream_id)
            SELECT subscription, kind, key, stream_id
            FROM unnest(taken_kinds, taken_keys, taken_streams) AS t (kind, key, stream_id);
        END IF;

        IF cardinality(relied_on_keys) > 0 AND EXISTS (
            SELECT FROM unnest(relied_on_kinds, relied_on_keys, relied_on_streams) AS r (kind, key, stream_id)
            LEFT JOIN LATERAL (
                SELECT c.stream_id FROM {schema}.{claims} AS c
                WHERE c.subscription_id = subscription AND c.kind = r.kind AND c.key = r.key LIMIT 1
            ) AS held ON true
            WHERE held.stream_id IS DISTINCT FROM r.stream_id
        ) THEN
            RAISE EXCEPTION 'a claim that was relied on no longer holds' USING ERRCODE = 'unique_violation';
        END IF;

        IF cardinality(licensed) > 0 AND EXISTS (
            SELECT FROM unnest(licensed) AS l (key)
            LEFT JOIN LATERAL (
                SELECT c.key FROM {schema}.{claims} AS c
                WHERE c.subscription_id = subscription AND c.kind = 'licence' AND c.key = l.key LIMIT 1
            ) AS held ON true
            WHERE held.key IS NULL
        ) THEN
            RAISE EXCEPTION 'a licence that was relied on was revoked' USING ERRCODE = 'unique_violation';
        END IF;

        IF cardinality(absent) > 0 AND EXISTS (
            SELECT FROM generate_series(since + 1, (SELECT max(notification_id) FROM {schema}.{events})) AS position
            CROSS JOIN LATERAL (
                SELECT e.state FROM {schema}.{events} AS e
                WHERE e.notification_id = position AND e.topic IN ('group.created', 'group.users-added') LIMIT 1
            ) AS joined
            CROSS JOIN LATERAL (SELECT convert_from(joined.state, 'UTF8')::jsonb AS body OFFSET 0) AS decoded
            WHERE body -> 'origin' ->> 'subscription_id' = subscription::text
              AND body -> 'event' -> 'users' ?| absent
        ) THEN
            RAISE EXCEPTION 'somebody joined a group who was not to' USING ERRCODE = 'unique_violation';
        END IF;

        NOTIFY {channel};
        RETURN QUERY
            INSERT INTO {schema}.{events} (originator_id, originator_version, topic, state)
            SELECT * FROM unnest(ids, versions, topics, states)
            RETURNING notification_id;
    END
    $body$
""")

APPEND = SQL("""
    SELECT * FROM {schema}.{append}(
        %(ids)b::uuid[], %(versions)b::bigint[], %(topics)b::text[], %(states)b::bytea[], %(subscription)b::uuid,
        %(released_kinds)b::text[], %(released_keys)b::text[], %(released_streams)b::uuid[],
        %(taken_kinds)b::text[], %(taken_keys)b::text[], %(taken_streams)b::uuid[],
        %(relied_on_kinds)b::text[], %(relied_on_keys)b::text[], %(relied_on_streams)b::uuid[],
        %(licensed)b::text[], %(absent)b::text[], %(since)b::bigint
    ) AS position
""")

SELECT_HELD = SQL("""
    SELECT wanted.key, held.stream_id
    FROM unnest(%b::text[]) AS wanted (key)
    CROSS JOIN LATERAL (
        SELECT stream_id FROM {schema}.{claims} AS c
        WHERE c.subscription_id = %b AND c.kind = %s AND c.key = wanted.key LIMIT 1
    ) AS held
""")

SELECT_LOG = SQL("""
    SELECT originator_id, originator_version, topic, state, notification_id
    FROM (
        SELECT *, sum(octet_length(state)) OVER (ORDER BY notification_id) - octet_length(state) AS bytes_before
        FROM (
            SELECT * FROM {schema}.{events}
            WHERE notification_id > %s AND notification_id <= coalesce(%s, 9223372036854775807)
            ORDER BY notification_id LIMIT %s
        ) AS candidates
    ) AS measured
    WHERE bytes_before < %s
    ORDER BY notification_id
""")

SELECT_STREAM = SQL("""
    SELECT originator_id, originator_version, topic, state FROM {schema}.{events}
    WHERE originator_id = %b AND originator_version > %b::bigint ORDER BY originator_version LIMIT %b::bigint
""")

SELECT_STREAMS = SQL("""
    SELECT originator_id, originator_version, topic, state
    FROM {schema}.{events} WHERE originator_id = ANY(%b) ORDER BY originator_id, originator_version
""")

SELECT_VERSIONS = SQL("""
    SELECT wanted.originator_id, latest.version
    FROM unnest(%b::uuid[]) AS wanted (originator_id)
    CROSS JOIN LATERAL (
        SELECT originator_version AS version FROM {schema}.{events} AS e
        WHERE e.originator_id = wanted.originator_id ORDER BY originator_version DESC LIMIT 1
    ) AS latest
""")
