"""What was kept: audit, look into, state again."""
