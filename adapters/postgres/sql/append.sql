SELECT append_to_events_1(
    %(append_id)b::uuid, %(subscription)b::uuid, %(at)b::timestamptz, %(origin)b::text, %(patience_ms)b::integer,
    %(ids)b::uuid[], %(versions)b::bigint[], %(topics)b::text[], %(states)b::bytea[], %(import_groups)b::integer[],
    %(released_kinds)b::text[], %(released_keys)b::text[], %(released_streams)b::uuid[],
    %(taken_kinds)b::text[], %(taken_keys)b::text[], %(taken_streams)b::uuid[],
    %(relied_on_kinds)b::text[], %(relied_on_keys)b::text[], %(relied_on_streams)b::uuid[],
    %(licensed)b::text[], %(absent)b::text[], %(since)b::bigint,
    %(request_key)b::text, %(request_fingerprint)b::uuid
) AS position
