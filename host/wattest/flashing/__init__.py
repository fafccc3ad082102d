"""From firmware source and a node's configuration to what its flash holds."""

from wattest.flashing.build import FirmwareBuild, build_firmware, config_digest
from wattest.flashing.p256_table import p256_table

__all__ = ["FirmwareBuild", "build_firmware", "config_digest", "p256_table"]
