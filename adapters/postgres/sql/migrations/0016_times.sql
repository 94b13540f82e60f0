-- Which was the last append of a subscription at a time (see projections/then.py).
CREATE INDEX appends_by_time ON appends (subscription_id, at) INCLUDE (position);
