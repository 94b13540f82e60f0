-- The audit log finds what a request did by its appends: by Rollcall's id of the request, and by the client's.
CREATE INDEX appends_by_request ON appends (subscription_id, (origin ->> 'request_id'), position);
CREATE INDEX appends_by_client_request ON appends (subscription_id, (origin ->> 'client_request_id'), position)
    WHERE origin ? 'client_request_id';
