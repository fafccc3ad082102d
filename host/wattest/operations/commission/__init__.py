"""Commissioning: flash, provision, passport, retire, scan."""
