-- The version and the licences are read by one statement, so they are of the same moment.
WITH wanted AS (
    SELECT email, stored_key_1(email) AS stored FROM jsonb_array_elements_text(%(emails)s::jsonb) AS email
)
SELECT coalesce(
    (SELECT originator_version FROM events WHERE originator_id = %(subscription)s ORDER BY originator_version DESC LIMIT 1), 0
) AS version, ARRAY(
    SELECT email FROM wanted JOIN claims AS held ON held.key = wanted.stored
    WHERE held.subscription_id = %(subscription)s AND held.kind = 'licence'
      AND held.key = ANY (ARRAY(SELECT stored FROM wanted))  -- so that the index is gone through once
) AS users
