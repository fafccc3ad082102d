"""From firmware source and a node's configuration to what its flash holds."""

from wattest.flashing.build import FirmwareBuild, build_firmware, config_digest
from wattest.flashing.image import FlashImage, build_image, manifest_document
from wattest.flashing.p256_table import p256_table

__all__ = [
    "FirmwareBuild",
    "FlashImage",
    "build_firmware",
    "build_image",
    "config_digest",
    "manifest_document",
    "p256_table",
]
