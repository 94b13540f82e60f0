"""What is true: messages, states and decisions. No I/O, no clock, no randomness."""
