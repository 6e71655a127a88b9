"""compose.yaml is not run here (no container engine): its shape is checked, and that what it names exists."""

from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    return yaml.safe_load((ROOT / "compose.yaml").read_text())


def test_every_reference_resolves(compose: dict[str, Any]) -> None:
    services = compose["services"]
    assert {"mosquitto", "influxdb", "grafana", "plant-monitor"} <= services.keys()
    for name, service in services.items():
        assert ("image" in service) != ("build" in service), name
        assert set(service.get("depends_on", {})) <= services.keys(), name
        assert set(service.get("secrets", ())) <= compose["secrets"].keys(), name
        for mount in service.get("volumes", ()):
            source = mount.split(":")[0]
            if source.startswith("./"):
                made_by_hand = source == "./deploy/plant.yaml"
                assert made_by_hand or (ROOT / source).exists(), f"{name} mounts {source}, which is not there"
            else:
                assert source in compose["volumes"], f"{name}: volume {source} is not declared"


def test_nothing_is_published_beyond_loopback(compose: dict[str, Any]) -> None:
    for name, service in compose["services"].items():
        for port in service.get("ports", ()):
            assert port.startswith("127.0.0.1:"), f"{name} publishes {port}"


def test_no_secret_stands_in_the_files(compose: dict[str, Any]) -> None:
    ignored = (ROOT / ".gitignore").read_text().split()
    assert all(secret["file"].startswith("deploy/secrets/") for secret in compose["secrets"].values())
    assert "/deploy/secrets/" in ignored


def test_the_broker_keeps_what_it_took() -> None:
    settings = dict(
        line.split(maxsplit=1)
        for line in (ROOT / "deploy" / "mosquitto.conf").read_text().splitlines()
        if line and not line.startswith("#")
    )
    wanted = {
        "persistence": "true",
        "autosave_on_changes": "true",
        "autosave_interval": "1",
        "max_queued_messages": "0",
        "max_inflight_messages": "1000",
    }
    assert wanted.items() <= settings.items()
