-- The log in the bytes that are sealed, version 1 (docs/auditing.md describes them): numbers are big-endian, an id is its
-- 16 bytes. What follows in a frame is the append's, and comes from `select_sealable_appends.sql`.
SELECT notification_id, append_position, state,
       '\x01'::bytea || int8send(notification_id) || uuid_send(originator_id) || int8send(originator_version)
       || uuid_send(subscription_id) || coalesce('\x01'::bytea || int4send(import_group), '\x00'::bytea)
       || int4send(octet_length(topic)) || convert_to(topic, 'UTF8') || int8send(append_position) AS frame
FROM events WHERE notification_id > %(after)s AND notification_id <= %(until)s
ORDER BY notification_id LIMIT %(limit)s
