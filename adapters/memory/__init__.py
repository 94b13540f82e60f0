"""The ports in memory, held to the same contract tests as those over PostgreSQL (tests/contracts)."""
