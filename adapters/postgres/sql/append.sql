SELECT append_to_events_4(
    $2::uuid, $3::uuid, $4::timestamptz, $5::text, $1::integer,
    $7::uuid[], $8::bigint[], $9::text[], $10::bytea[], $11::integer[], $6::jsonb
)
