SELECT wanted.key, held.stream_id
FROM jsonb_array_elements_text(%(keys)s::jsonb) AS wanted (key)
CROSS JOIN LATERAL (  -- LIMIT as in migrations/0010_append.sql
    SELECT stream_id FROM claims AS c
    WHERE c.subscription_id = %(subscription)s AND c.kind = %(kind)s AND c.key = stored_key_1(wanted.key) LIMIT 1
) AS held
