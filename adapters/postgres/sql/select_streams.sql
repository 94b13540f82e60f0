SELECT originator_id, originator_version, topic, state FROM events
WHERE originator_id = ANY(%(streams)b)
ORDER BY originator_id, originator_version
