SELECT head.at, last.id, last.topic
FROM (SELECT coalesce(max(notification_id), 0) AS at FROM events WHERE subscription_id = %(subscription)s) AS head
LEFT JOIN (
    SELECT DISTINCT ON (originator_id) originator_id AS id, topic FROM events
    WHERE subscription_id = %(subscription)s AND topic = ANY(%(topics)s)
    ORDER BY originator_id, originator_version DESC
) AS last ON true
