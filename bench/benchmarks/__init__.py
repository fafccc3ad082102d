"""What the project promises in numbers, each measured beside its reference in the same run."""
