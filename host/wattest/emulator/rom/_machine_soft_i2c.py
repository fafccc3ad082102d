"""I2C on any pins."""

from machine import I2C


class SoftI2C(I2C):
    def __init__(self, scl, sda, freq=400000, timeout=50000):
        super().__init__(-1, scl, sda, freq, timeout)
