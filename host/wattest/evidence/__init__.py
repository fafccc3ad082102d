"""Evidence bundles: proof of a statement, a session or a reading for whoever trusts nobody."""
