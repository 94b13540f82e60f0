-- The end of the frame of all events of an append, and their origin. A time is microseconds since 2000.
SELECT position, uuid_send(id) || uuid_send(subscription_id) || timestamptz_send(at) AS frame,
       convert_to(origin::text, 'UTF8') AS origin
FROM appends WHERE position = ANY(%(positions)b::bigint[])
