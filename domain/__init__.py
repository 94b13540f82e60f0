"""What is true: events, states and decisions. No I/O, no clock, no randomness."""
