"""What can be done: load, decide, append."""
