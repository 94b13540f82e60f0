-- From here on a role that an address has is a claim, too (docs/decisions/0021-rights.md). These are the roles so far.
INSERT INTO claims (subscription_id, kind, key, stream_id)
SELECT subscription_id, 'role', role || ' ' || email, originator_id
FROM (
    SELECT DISTINCT ON (originator_id, role) subscription_id, originator_id, topic, role, email
    FROM events, LATERAL (SELECT convert_from(state, 'UTF8')::jsonb AS event) AS decoded,
         LATERAL (SELECT event ->> 'role' AS role, event ->> 'email' AS email) AS said
    WHERE topic IN ('access.granted', 'access.revoked')
    ORDER BY originator_id, role, originator_version DESC
) AS last
WHERE topic = 'access.granted';
