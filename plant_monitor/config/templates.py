"""Devices that are alike share the keys of a ``template:``.

``templates`` holds named sets of device keys; a device with ``template: NAME`` has them too. A key the
device states itself counts instead of the template's, whole. What a template says wrongly is reported
where the template stands.
"""

from __future__ import annotations

from plant_monitor.config.yaml_tree import Node, Problems, Text, described, join


def expand_templates(root: Node, problems: Problems) -> list[Node]:
    """Give every device the keys of its template, in place; returns the templates no device uses."""
    templates = dict(node.items()) if (node := root.child("templates")) is not None else {}
    for template in templates.values():
        for key in ("id", "template"):
            if (below := template.child(key)) is not None:
                problems.add(below.line, below.path, f"the key {key!r} in a template", "it in the devices only")
    used: set[str] = set()
    devices = root.child("devices")
    for device in devices.elements() if devices is not None else []:
        named = device.child("template")
        if named is None or not isinstance(device.value, dict):
            continue
        own = {key: below for key, below in device.value.items() if key != "template"}
        name = named.value if isinstance(named.value, Text) else ""
        if name not in templates:
            known = ", ".join(templates) or "none is declared"
            problems.add(named.line, join(device.path, "template"), described(named.value), f"a template ({known})")
        else:
            used.add(name)
        shared = {k: n for k, n in templates[name].items() if k not in ("id", "template")} if name in templates else {}
        device.value = {**shared, **own}
    return [template for name, template in templates.items() if name not in used]
