"""Scenarios: nodes, exact loads, weather, faults, parties and contracts of a run."""
