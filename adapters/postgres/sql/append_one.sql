SELECT append_to_events_4(  -- as append.sql for one event: psycopg takes a third of the time to send values that lists take
    %(append_id)b::uuid, %(subscription)b::uuid, %(at)b::timestamptz, %(origin)b::text, %(patience_ms)b::integer,
    ARRAY[%(ids)b::uuid], ARRAY[%(versions)b::bigint], ARRAY[%(topics)b::text], ARRAY[%(states)b::bytea],
    ARRAY[%(import_groups)b::integer], %(claims)s::jsonb
) AS last_position
