SELECT wanted.key, held.stream_id
FROM unnest(%(keys)b::text[]) AS wanted (key)
CROSS JOIN LATERAL (  -- LIMIT as in migrations/0003_append.sql
    SELECT stream_id FROM claims AS c
    WHERE c.subscription_id = %(subscription)b AND c.kind = %(kind)s AND c.key = wanted.key LIMIT 1
) AS held
