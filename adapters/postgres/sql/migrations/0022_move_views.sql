-- Moves views from the positions that are expected, all or none, and announces it. That it fails by itself lets what the
-- views write be sent right behind it, without waiting for an answer.
CREATE FUNCTION move_views_1(wanted jsonb, channel text, announced text) RETURNS void LANGUAGE plpgsql AS $body$
DECLARE
    moved integer;
BEGIN
    UPDATE view_positions AS v SET position = w.reached, proof = w.reached_proof
    FROM jsonb_to_recordset(wanted) AS w (
        view text, fingerprint text, expected bigint, expected_proof text, reached bigint, reached_proof text
    )
    WHERE (v.view, v.position, v.proof, v.fingerprint) = (w.view, w.expected, w.expected_proof, w.fingerprint);
    GET DIAGNOSTICS moved = ROW_COUNT;
    IF moved < jsonb_array_length(wanted) THEN
        RAISE EXCEPTION 'a view was moved or rebuilt' USING ERRCODE = 'RC001';  -- as in projections/positions.py
    END IF;
    PERFORM pg_notify(channel, announced);
END
$body$;
