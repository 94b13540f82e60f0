SELECT wanted.originator_id, latest.version
FROM unnest(%(streams)b::uuid[]) AS wanted (originator_id)
CROSS JOIN LATERAL (  -- LIMIT as in migrations/0010_append.sql
    SELECT originator_version AS version FROM events AS e
    WHERE e.originator_id = wanted.originator_id ORDER BY originator_version DESC LIMIT 1
) AS latest
