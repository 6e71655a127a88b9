"""Which series share a fate: those of one device, of the devices behind one address, of the whole plant."""

from __future__ import annotations

from dataclasses import dataclass

from plant_monitor.payload_maps import JsonMapping, SparkplugMapping
from plant_monitor.plant import ModbusDevice, MqttStation, Name, Plant


@dataclass(frozen=True, slots=True)
class Group:
    """Series that fall silent together when what they have in common fails.

    ``id`` of the device, ``host:port`` of the gateway or broker, or the plant's · ``series`` indices of
    ``Plant.series`` · ``point`` of all of them, empty where they are of several
    """

    id: str
    name: Name
    series: frozenset[int]
    point: str = ""


def groups(plant: Plant) -> tuple[Group, ...]:
    """The groups of at least two series, the widest first; of equal ones the one with the narrowest name."""
    fed = {device.id: _fed(device, plant) for device in plant.devices}
    at: dict[str, list[str]] = {}
    for device in plant.devices:
        at.setdefault(f"{device.host}:{device.port}", []).append(device.id)
    everything = frozenset().union(*fed.values()) if fed else frozenset()
    found = [_group(plant, id_, Name(f"设备 {id_}", f"device {id_}"), series) for id_, series in fed.items()]
    for address, ids in at.items():
        behind = frozenset().union(*(fed[id_] for id_ in ids))
        found.append(_group(plant, address, Name(f"网关 {address}", f"gateway {address}"), behind))
    found.append(_group(plant, plant.id, Name("全部仪表", "every instrument"), everything))
    narrowest = {group.series: group for group in reversed(found)}
    kept = [group for group in narrowest.values() if len(group.series) > 1]
    return tuple(sorted(kept, key=lambda group: (-len(group.series), group.id)))


def feeds(device: ModbusDevice | MqttStation, point: str, parameter: str) -> bool:
    """Whether plant.yaml lets a device read a series. Of a station whose point stands in its topics: it may."""
    if isinstance(device, ModbusDevice):
        return any((r.point, r.parameter) == (point, parameter) for r in device.readings)
    payload = device.payload
    if isinstance(payload, JsonMapping):
        named = device.point if payload.point is None else None
        return any(v.parameter == parameter and _may_be(v.point or named, point) for v in payload.values)
    if isinstance(payload, SparkplugMapping):
        return any(m.parameter == parameter and _may_be(m.point or device.point, point) for m in payload.metrics)
    return _may_be(device.point, point)


def _may_be(pattern: str | None, point: str) -> bool:
    """What stands in a topic or a message may be any point."""
    return pattern is None or "{" in pattern or pattern == point


def _fed(device: ModbusDevice | MqttStation, plant: Plant) -> frozenset[int]:
    """The series of a device. What others are known to read is not that of a station that may send of any point."""
    mine = {i for i, s in enumerate(plant.series) if feeds(device, s.point, s.parameter)}
    if isinstance(device, MqttStation) and (device.point is None or "{" in device.point):
        known = [d for d in plant.devices if isinstance(d, ModbusDevice)]
        mine -= {i for i in mine if any(feeds(d, plant.series[i].point, plant.series[i].parameter) for d in known)}
    return frozenset(mine)


def _group(plant: Plant, id_: str, name: Name, series: frozenset[int]) -> Group:
    points = {plant.series[i].point for i in series}
    return Group(id_, name, series, points.pop() if len(points) == 1 else "")
