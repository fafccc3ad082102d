"""What wattest does: each operation takes ports, yields typed events, returns a value, never prints."""
