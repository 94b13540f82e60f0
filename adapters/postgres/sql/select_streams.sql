-- Each stream and each append is looked up by its key: a join of all of them would go through the whole log each time.
SELECT e.notification_id, e.originator_id, e.originator_version, e.topic, e.state, e.import_group, e.subscription_id,
       a.at, a.origin::text AS origin
FROM (SELECT DISTINCT unnest(%(streams)b::uuid[]) AS originator_id) AS wanted
CROSS JOIN LATERAL (
    SELECT * FROM events WHERE events.originator_id = wanted.originator_id OFFSET 0
) AS e
CROSS JOIN LATERAL (SELECT at, origin FROM appends WHERE position = e.append_position LIMIT 1) AS a
ORDER BY e.originator_id, e.originator_version
