SELECT * FROM records
WHERE originator_id = ANY(%(streams)b)
ORDER BY originator_id, originator_version
