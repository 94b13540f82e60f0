SELECT originator_id, originator_version, topic, state, notification_id FROM events
WHERE originator_id = %(stream)b AND originator_version > %(after)b::bigint
ORDER BY originator_version LIMIT %(limit)b::bigint
