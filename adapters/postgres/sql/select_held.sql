WITH wanted AS (
    SELECT key, stored_key_1(key) AS stored FROM jsonb_array_elements_text(%(keys)s::jsonb) AS key
)
SELECT wanted.key, held.stream_id FROM wanted JOIN claims AS held ON held.key = wanted.stored
WHERE held.subscription_id = %(subscription)s AND held.kind = %(kind)s
  AND held.key = ANY (ARRAY(SELECT stored FROM wanted))  -- so that the index is gone through once
