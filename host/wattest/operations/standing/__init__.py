"""Emulated boards that stay up for tools and collectors."""
