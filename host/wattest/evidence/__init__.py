"""Evidence bundles: what proves one statement, session or reading to somebody who trusts nobody."""
