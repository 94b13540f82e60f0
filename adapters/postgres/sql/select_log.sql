-- As many events as asked for, but no more than the bytes allow. Always two at least, because views begin with the event
-- that they showed last. Only the first event of an append comes with its time and origin, which is some hundred bytes.
-- They are looked up last: if the appends were joined, the planner would join and sort all that is left of the log.
SELECT notification_id, originator_id, originator_version, subscription_id, import_group, topic, state, at, origin, append_id
FROM (
    SELECT *, sum(octet_length(state)) OVER so_far - octet_length(state) AS bytes_before,
           row_number() OVER so_far AS number, lag(append_position) OVER so_far AS append_before
    FROM (
        SELECT * FROM events
        WHERE notification_id > $1::bigint AND notification_id <= coalesce($6::bigint, 9223372036854775807)
          AND ($7::uuid IS NULL OR subscription_id = $7)
          AND (cardinality($5::text[]) = 0 OR topic = ANY($5::text[]) OR (
              $4::boolean AND notification_id = (
                  SELECT max(notification_id) FROM events
                  WHERE notification_id <= coalesce($6, 9223372036854775807)
              )
          ))
        ORDER BY notification_id LIMIT $2::bigint
    ) AS candidates
    WINDOW so_far AS (ORDER BY notification_id ROWS UNBOUNDED PRECEDING)
) AS measured
LEFT JOIN LATERAL (
    SELECT at, origin::text AS origin, id AS append_id FROM appends
    WHERE append_position IS DISTINCT FROM append_before AND position = append_position
) AS append ON true
WHERE bytes_before < $3::bigint OR number <= 2
ORDER BY notification_id
