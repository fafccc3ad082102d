"""Collection from ports in real time."""
