"""compose.yaml is not run here (no container engine): its shape is checked, and that what it names exists."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from paho.mqtt.publish import single
from servers import free_port, listening, require_server, wait_until

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


def test_the_simulated_field_is_there_only_when_asked_for(compose: dict[str, Any]) -> None:
    assert compose["services"]["simulators"]["profiles"] == ["simulator"]
    assert not any("profiles" in s for name, s in compose["services"].items() if name != "simulators")


def test_secrets_are_made_once_and_open_the_broker(tmp_path: Path, compose: dict[str, Any]) -> None:
    folder = tmp_path / "secrets"
    made = run_script(folder)
    assert set(made) == {Path(secret["file"]).name for secret in compose["secrets"].values()}
    texts = {name: (folder / name).read_text() for name in made}
    assert run_script(folder) == [] and texts == {name: (folder / name).read_text() for name in made}
    (folder / "mosquitto_passwords").unlink()
    assert run_script(folder) == ["mosquitto_passwords"]  # for the password that is there
    port = free_port()
    user = "user root\n" if os.geteuid() == 0 else ""
    passwords = folder / "mosquitto_passwords"
    config = tmp_path / "mosquitto.conf"
    config.write_text(f"listener {port} 127.0.0.1\nallow_anonymous false\npassword_file {passwords}\n{user}")
    broker = subprocess.Popen([require_server("mosquitto"), "-c", config], stderr=subprocess.DEVNULL)
    try:
        wait_until(lambda: listening(port), what="the broker")
        for password, right in ((texts["mqtt_password"], True), ("wrong", False)):
            login = {"username": "plant-monitor", "password": password}
            if right:
                single("a", "b", hostname="127.0.0.1", port=port, auth=login)  # type: ignore[arg-type]
            else:
                with pytest.raises(Exception, match=r"(?i)not authori"):
                    single("a", "b", hostname="127.0.0.1", port=port, auth=login)  # type: ignore[arg-type]
    finally:
        broker.terminate()
        broker.wait()


def run_script(folder: Path) -> list[str]:
    script = ROOT / "deploy" / "make_secrets.py"
    return subprocess.run([sys.executable, script, folder], check=True, capture_output=True, text=True).stdout.split()
