-- The version and the licences are read by one statement, so they are of the same moment.
SELECT coalesce(
    (SELECT originator_version FROM events WHERE originator_id = %(subscription)s ORDER BY originator_version DESC LIMIT 1), 0
) AS version, ARRAY(
    SELECT wanted.email FROM jsonb_array_elements_text(%(emails)s::jsonb) AS wanted (email)
    CROSS JOIN LATERAL (  -- LIMIT as in migrations/0010_append.sql
        SELECT FROM claims AS c
        WHERE c.subscription_id = %(subscription)s AND c.kind = 'licence' AND c.key = stored_key_1(wanted.email) LIMIT 1
    ) AS held
) AS users
