"""The witness of a ledger: its server, its client, its small state file."""
