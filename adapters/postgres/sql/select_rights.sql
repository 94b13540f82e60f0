-- What may have changed since tokens were issued: the last versions of their streams, where the second event is the
-- revocation, and the roles by which their issuer may issue them.
SELECT ARRAY(
    SELECT latest.version FROM unnest(%(tokens)b::uuid[]) AS wanted (id)
    CROSS JOIN LATERAL (  -- LIMIT as in migrations/0010_append.sql
        SELECT originator_version AS version FROM events
        WHERE originator_id = wanted.id ORDER BY originator_version DESC LIMIT 1
    ) AS latest
) AS versions, ARRAY(
    SELECT subscription_id || ' ' || key FROM claims
    WHERE subscription_id = ANY(%(scopes)b::uuid[]) AND kind = 'role' AND key = ANY(%(keys)b::text[])
) AS issuer_roles
