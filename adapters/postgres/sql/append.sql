SELECT * FROM append_to_events_1(
    %(ids)b::uuid[], %(versions)b::bigint[], %(topics)b::text[], %(states)b::bytea[], %(subscription)b::uuid,
    %(released_kinds)b::text[], %(released_keys)b::text[], %(released_streams)b::uuid[],
    %(taken_kinds)b::text[], %(taken_keys)b::text[], %(taken_streams)b::uuid[],
    %(relied_on_kinds)b::text[], %(relied_on_keys)b::text[], %(relied_on_streams)b::uuid[],
    %(licensed)b::text[], %(absent)b::text[], %(since)b::bigint
) AS position
