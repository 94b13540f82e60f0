-- A token and what it depends on: the tokens behind it, and the roles by which its issuer may issue them.
--
-- A token's stream says all of that by its key: its first event what it is, and its second, if there is one, that it was
-- revoked. LIMIT 1 keeps the planner at one index look-up per key, whatever it guesses about the tables.
WITH asked AS (
    SELECT subscription_id AS scope, state, convert_from(state, 'UTF8')::jsonb AS issued
    FROM events WHERE originator_id = %(token)s AND originator_version = 1 AND topic = 'token.issued'
), ancestors AS (
    SELECT id::uuid AS id FROM asked, jsonb_array_elements_text(issued -> 'ancestors') AS id
), behind AS (
    SELECT first.scope, first.state FROM ancestors CROSS JOIN LATERAL (
        SELECT subscription_id AS scope, state FROM events
        WHERE originator_id = ancestors.id AND originator_version = 1 AND topic = 'token.issued' LIMIT 1
    ) AS first
)
SELECT asked.scope, asked.state,
    ARRAY(SELECT scope FROM behind) AS ancestor_scopes,
    ARRAY(SELECT state FROM behind) AS ancestors,
    ARRAY(
        SELECT c.subscription_id || ' ' || c.key FROM claims AS c
        WHERE c.subscription_id = ANY(ARRAY[asked.scope, '00000000-0000-0000-0000-000000000000'] || ARRAY(SELECT scope FROM behind))
          AND c.kind = 'role'
          AND c.key IN ('operator ' || (asked.issued ->> 'issuer'), 'administrator ' || (asked.issued ->> 'issuer'))
    ) AS issuer_roles
FROM asked
WHERE NOT EXISTS (
    SELECT FROM (SELECT id FROM ancestors UNION ALL SELECT %(token)s) AS each CROSS JOIN LATERAL (
        SELECT FROM events WHERE originator_id = each.id AND originator_version = 2 LIMIT 1
    ) AS revoked
)
