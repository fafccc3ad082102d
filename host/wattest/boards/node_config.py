"""The part of a node's configuration file that its board determines."""

from __future__ import annotations

from wattest.boards.model import Board
from wattest.boards.sensors import Ina228Wiring

_SYNC_VALID_S = 93_600
"""26 h: a clock set once a day stays synchronised, with two hours to spare."""


def node_config(
    board: Board, *, serial: str | None, interval_ms: int, ueid: str | None = None
) -> dict[str, int | str]:
    """Return the content of ``/node.json``, docs/firmware.md.

    Args:
        board: the hardware the node runs on.
        serial: 1 to 32 printable ASCII characters, or None: the node names itself after its chip.
        interval_ms: record interval, a multiple of the board's sample period.
        ueid: hex of 7 to 33 bytes, or None: a real node uses its own MAC address.

    Raises:
        ValueError: the interval does not fit the sample period.
    """
    constants = board.constants
    if interval_ms % constants.sample_period_ms or not 1000 <= interval_ms <= 3_600_000:
        raise ValueError(
            f"interval of 1000 to 3600000 ms and a multiple of {constants.sample_period_ms} ms "
            f"expected, got {interval_ms}"
        )
    relay = board.relay
    config: dict[str, int | str] = {
        "board": board.name,
        "sample_period_ms": constants.sample_period_ms,
        "interval_ms": interval_ms,
        "i2c_id": board.i2c.id,
        "i2c_scl": board.i2c.scl_pin,
        "i2c_sda": board.i2c.sda_pin,
        "i2c_freq_hz": board.i2c.frequency_hz,
        "counts_per_milliwatthour": constants.counts_per_milliwatthour,
        "power_nw_per_count": constants.power_nw_per_count,
        "start_counts": constants.starting_counts,
        "sensor": board.sensor.chip,
        **board.sensor.node_keys,
        "relay_pin": relay.pin if relay else -1,
        "relay_closed_level": relay.closed_level if relay else 1,
        "relay_at_boot": int(relay.closed_at_boot) if relay else 1,
        "current_kind": 1 if board.meter.current_kind == "dc" else 0,
        "journal_bytes": board.journal.total_bytes,
        "journal_segment_bytes": board.journal.segment_bytes,
        "watchdog_ms": board.watchdog_ms,
        "sync_valid_s": _SYNC_VALID_S,
    }
    if not isinstance(board.sensor, Ina228Wiring):
        config["milliwatthours_per_energy_count"] = constants.milliwatthours_per_energy_count
        config["parts_per_energy_count"] = constants.parts_per_energy_count
    if board.uart is not None:
        config["uart_id"] = board.uart.id
        config["uart_tx"] = board.uart.tx_pin
        config["uart_rx"] = board.uart.rx_pin
    element = board.secure_element
    if element is not None:
        config |= {
            "element_address": element.address,
            "element_slot": element.slot,
            "element_i2c_id": element.i2c.id,
            "element_i2c_scl": element.i2c.scl_pin,
            "element_i2c_sda": element.i2c.sda_pin,
            "element_i2c_freq_hz": element.i2c.frequency_hz,
        }
    if serial is not None:
        config["serial"] = serial
    if ueid is not None:
        config["ueid"] = ueid
    return config
