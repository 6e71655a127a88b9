"""plant.yaml: from text to :class:`~plant_monitor.plant.Plant`, or to all of its mistakes.

text --yaml_tree--> tree --templates, shape--> model --check_*--> no mistakes --records--> Plant
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from plant_monitor.config.check_devices import check_devices
from plant_monitor.config.check_limits import check_limit_sets, check_limits_of_points
from plant_monitor.config.check_notify import check_notify
from plant_monitor.config.check_points import check_members, check_plant, check_points, check_public_screen
from plant_monitor.config.check_services import check_store, check_tariff
from plant_monitor.config.draft import Declared, Draft
from plant_monitor.config.quality import check_quality
from plant_monitor.config.records import plant_record
from plant_monitor.config.schema import Device, PlantFile
from plant_monitor.config.secrets import SecretMissing, resolve
from plant_monitor.config.shape import fitted, report, stand_in
from plant_monitor.config.standards import shipped_sets
from plant_monitor.config.templates import expand_templates
from plant_monitor.config.yaml_tree import Node, Problems, described, read_tree
from plant_monitor.errors import ConfigError, Problem
from plant_monitor.plant import Plant

_CHECKS = (
    check_plant,
    check_members,
    check_points,
    check_public_screen,
    check_limit_sets,
    check_limits_of_points,
    check_devices,
    check_tariff,
    check_store,
    check_notify,
    check_quality,
)

# What stands in for required keys that are broken, so that the rest of the file is checked all the same.
_STAND_INS = {
    "plant": {"id": "-", "name": {"zh": "-", "en": "-"}, "timezone": "UTC", "capacity_m3_d": 1},
    "plant.id": "-",
    "plant.name": {"zh": "-", "en": "-"},
    "plant.name.zh": "-",
    "plant.name.en": "-",
    "plant.timezone": "UTC",
    "plant.capacity_m3_d": 1,
    "points": [],
    "points[].parameters": {},
    "devices[].address": "-:1",
    "devices[].broker": "mqtt://-",
    "devices[].topic": "-/+/-",
    "devices[].readings[].register": 0,
}


def load_plant(path: Path, env: Mapping[str, str] = os.environ, *, secrets: bool = True) -> Plant:
    """The plant that a file describes.

    Parameters
    ----------
    env      where ``env:NAME`` looks
    secrets  False: secrets are not looked up and come out as None; for commands that speak to no server

    Raises
    ------
    ConfigError  the file cannot be read, or is wrong: *all* of its problems
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ConfigError([Problem(str(path), "", error.strerror or str(error), "a readable file")]) from None
    try:
        text = data.decode()  # a byte order mark stays: the text is the file, and so is its digest
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        found = f"the byte 0x{data[error.start]:02X}, which is not UTF-8"
        raise ConfigError([Problem(f"{path}:{line}", "", found, "a file saved as UTF-8")]) from None
    return parse_plant(text, str(path), env, secrets=secrets)


def parse_plant(text: str, file: str, env: Mapping[str, str], *, secrets: bool = True) -> Plant:
    """The plant that a text describes; ``file`` names it in messages.

    Raises
    ------
    ConfigError  the text is wrong: *all* of its problems
    """
    problems = Problems(file)
    draft = _draft(text, problems)
    if draft is None:
        raise ConfigError(problems.sorted())
    for check in _CHECKS:
        check(draft)
    folder = Path(file).parent
    found = _secrets(draft.whole, problems, folder, env) if secrets else {}
    if secrets:
        _check_files(draft.whole, problems, folder)
    if len(problems):
        raise ConfigError(problems.sorted())
    digest = hashlib.sha256(text.encode()).hexdigest()

    def secret(reference: str | None) -> str | None:
        return None if reference is None else found.get(reference)

    return plant_record(draft.file, draft.shipped, secret, folder=folder, digest=digest, text=text)


def json_schema() -> dict[str, Any]:
    """The JSON Schema of plant.yaml: for editors, and for the reference in docs/configuration.md."""
    schema = TypeAdapter(PlantFile).json_schema()
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    definitions = schema["$defs"]
    for name in ("ModbusSection", "MqttSection"):
        # A device may take any of its keys from a template, so here only the id is required.
        properties = {**definitions[name]["properties"], "template": {"type": "string", "description": _TEMPLATE}}
        definitions[name] = {**definitions[name], "properties": properties, "required": ["id"]}
        template = {k: v for k, v in properties.items() if k not in ("id", "template")}
        definitions[name.replace("Section", "Template")] = {
            **{k: v for k, v in definitions[name].items() if k != "required"},
            "properties": template,
        }
    choice = ["ModbusSection", "MqttSection"]
    schema["properties"]["devices"]["items"] = {"anyOf": [{"$ref": f"#/$defs/{n}"} for n in choice]}
    schema["properties"]["templates"]["additionalProperties"] = {
        "anyOf": [{"$ref": f"#/$defs/{n.replace('Section', 'Template')}"} for n in choice]
    }
    return schema


_TEMPLATE = "name of a template whose keys the device has too; a key of its own counts instead"


def _draft(text: str, problems: Problems) -> Draft | None:
    """What can be checked of a text; None where it is no mapping at all."""
    root = read_tree(text, problems)
    if root is None:
        return None
    if not isinstance(root.value, dict):
        problems.add(root.line, "", described(root.value), "a mapping with the keys plant, members, points, …")
        return None
    # A key with nothing but comments below it is one that is not stated.
    root.value = {key: node for key, node in root.value.items() if node.value is not None}
    for template in expand_templates(root, problems):
        report(TypeAdapter(Device), template, problems, missing=False)
    stand_ins = {path: stand_in(value, path) for path, value in _STAND_INS.items()}
    fit = fitted(TypeAdapter(PlantFile), root, problems, stand_ins)
    if fit is None:
        return None
    model, kept = fit
    return Draft(model, kept, root, Declared.of(root), shipped_sets(), problems, problems.paths())


def _secrets(root: Node, problems: Problems, base: Path, env: Mapping[str, str]) -> dict[str, str]:
    """What every ``env:NAME`` and ``file:PATH`` of the file stands for; those that are missing are reported."""
    found: dict[str, str] = {}
    for node in _secret_nodes(root):
        reference = str(node.value)
        try:
            found[reference] = resolve(reference, base, env)
        except SecretMissing as missing:
            problems.add(node.line, node.path, missing.found, missing.expected)
    return found


def _secret_nodes(root: Node) -> list[Node]:
    """Nodes of the keys that hold secrets: the only ones where ``env:`` and ``file:`` mean anything."""
    holders: list[tuple[Node | None, tuple[str, ...]]] = []
    devices, store, notify = root.child("devices"), root.child("store"), root.child("notify")
    for device in devices.elements() if devices else []:
        holders += [(device, ("password",)), (device.child("tls"), ("key_password",))]
    holders.append((store.child("influxdb") if store else None, ("token", "password")))
    channels = notify.child("channels") if notify else None
    holders.append((notify.child("heartbeat") if notify else None, ("url",)))
    holders += [(channel, ("url",)) for channel in (channels.elements() if channels else [])]
    nodes = [holder.child(key) for holder, keys in holders if holder is not None for key in keys]
    return [n for n in nodes if n is not None and isinstance(n.value, str) and n.value.startswith(("env:", "file:"))]


def _check_files(root: Node, problems: Problems, base: Path) -> None:
    """That the certificates of devices can be read here; as with secrets, only commands that speak to them need it."""
    devices = root.child("devices")
    tls = [device.child("tls") for device in (devices.elements() if devices else [])]
    for node in [part.child(key) for part in tls if part is not None for key in ("ca", "certificate", "key")]:
        if node is None or not isinstance(node.value, str):
            continue
        try:
            (base / node.value).open("rb").close()
        except OSError as error:
            found = f"{node.value}, which cannot be read ({error.strerror})"
            problems.add(node.line, node.path, found, "a PEM file, relative to the folder of plant.yaml")
