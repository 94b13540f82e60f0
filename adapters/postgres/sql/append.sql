SELECT append_to_events_2(
    %(append_id)b::uuid, %(subscription)b::uuid, %(at)b::timestamptz, %(origin)b::text, %(patience_ms)b::integer,
    %(ids)b::uuid[], %(versions)b::bigint[], %(topics)b::text[], %(states)b::bytea[], %(import_groups)b::integer[],
    %(claims)s::jsonb
) AS position
