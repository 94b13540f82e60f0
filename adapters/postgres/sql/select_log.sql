-- As many events as asked for, but no more than the bytes allow; always one at least.
SELECT *
FROM (
    SELECT *, sum(octet_length(state)) OVER (ORDER BY notification_id) - octet_length(state) AS bytes_before
    FROM (
        SELECT * FROM records
        WHERE notification_id > %(after)s AND notification_id <= coalesce(%(until)s, 9223372036854775807)
          AND (%(subscription)s::uuid IS NULL OR subscription_id = %(subscription)s)
          AND (cardinality(%(topics)s::text[]) = 0 OR topic = ANY(%(topics)s::text[]))
        ORDER BY notification_id LIMIT %(limit)s
    ) AS candidates
) AS measured
WHERE bytes_before < %(bytes)s
ORDER BY notification_id
