"""Money on a kept ledger: accounts to look at, acts and due statements to log."""
