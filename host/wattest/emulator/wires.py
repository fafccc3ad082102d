"""Wires between boards of one world."""

from __future__ import annotations

from wattest.emulator.board import EmulatedBoard


def connect_pins(source: EmulatedBoard, source_pin: int, target: EmulatedBoard, pin: int) -> None:
    """Lay a wire from a pin that one board drives to an input of another.

    What the source does not drive floats: then the pull-up of the target's pin, if any, decides.

    Args:
        source: the board that drives.
        source_pin: number of its pin.
        target: the board that listens.
        pin: number of its pin.

    Raises:
        ValueError: they live in different worlds.
    """
    world = target.world
    if source.world is not world:
        raise ValueError("both boards must live in one world")

    def follow(level: int | None) -> None:
        # The source may be ahead of the world by up to a step.
        world.call_at(source.now_ns, lambda: target.set_pin(pin, level))

    source.hardware.pins.follow(source_pin, follow)
