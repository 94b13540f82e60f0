SELECT append_to_events_4(  -- as append.sql, within a transaction that does more than that
    %(append_id)s::uuid, %(subscription)s::uuid, %(at)s::timestamptz, %(origin)s::text, %(patience_ms)s::integer,
    %(ids)s::uuid[], %(versions)s::bigint[], %(topics)s::text[], %(states)s::bytea[], %(import_groups)s::integer[],
    %(claims)s::jsonb
) AS last_position
