"""Ports: bytes to and from a node over a serial line, a pseudo terminal or the network."""

from wattest.link.port import Port, open_port

__all__ = ["Port", "open_port"]
