"""How Rollcall meets the world."""
