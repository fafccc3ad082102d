"""Electronic loads and supplies that play a load to a real board: SCPI over TCP or serial."""
