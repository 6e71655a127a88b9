"""Where readings come from: that each device stands once, and each series has one source."""

from __future__ import annotations

from plant_monitor.config.check_modbus import check_modbus, check_shared_lines
from plant_monitor.config.check_mqtt import check_mqtt
from plant_monitor.config.check_payload import check_payload
from plant_monitor.config.draft import Draft
from plant_monitor.config.modbus_schema import ModbusSection


def check_devices(draft: Draft) -> None:
    """Every device, and the series that several of them feed."""
    draft.once("devices", "each device once")
    fed: dict[tuple[str, str], str] = {}
    for i, device in enumerate(draft.file.devices):
        if isinstance(device, ModbusSection):
            check_modbus(draft, ("devices", i), device, fed)
        else:
            check_mqtt(draft, ("devices", i), device)
            check_payload(draft, ("devices", i), device)
    check_shared_lines(draft)
