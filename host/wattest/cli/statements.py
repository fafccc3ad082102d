"""Statements as lines and as plain values."""

from __future__ import annotations
