"""PostgreSQL: the event store, the blobs, locks and wake-ups, and the embedded server."""
