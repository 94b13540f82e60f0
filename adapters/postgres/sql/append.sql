SELECT last_position, position_before, append_before FROM append_to_events_5(
    %(append_id)b::uuid, %(subscription)b::uuid, %(at)b::timestamptz, %(origin)b::text, %(patience_ms)b::integer,
    %(ids)b::uuid[], %(versions)b::bigint[], %(topics)b::text[], %(states)b::bytea[], %(import_groups)b::integer[],
    %(claims)s::jsonb
)
