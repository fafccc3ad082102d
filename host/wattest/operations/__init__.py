"""What wattest does: ports in, typed events and values out, nothing printed."""
