"""What a stimulus board is made of: it plays a power that the bench tells it."""
