"""The errors of NVS as an ESP32 raises them; loaded when one is raised, forgotten at once."""

import sys


def error(code):
    sys.modules.pop("_esp32_error")
    name = {
        0x1102: "ESP_ERR_NVS_NOT_FOUND",
        0x1105: "ESP_ERR_NVS_NOT_ENOUGH_SPACE",
        0x1106: "ESP_ERR_NVS_INVALID_NAME",
        0x110C: "ESP_ERR_NVS_INVALID_LENGTH",
    }[code]
    return OSError(-code, name)
