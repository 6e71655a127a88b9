"""The API over TLS: what leaves the machine is encrypted, and a certificate that is none is an error at the start."""

from __future__ import annotations

import http.client
import json
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from ingest.certificates import Authority
from servers import free_port, wait_until

from plant_monitor.cli import main
from plant_monitor.clock import SystemClock
from plant_monitor.config.plant_file import load_plant
from plant_monitor.service import Service, Settings

PLANT = """
plant: {id: p, name: {zh: 厂, en: plant}, timezone: Asia/Shanghai, capacity_m3_d: 10}
members: [{id: m, name: {zh: 员, en: member}}]
points: [{id: out, role: outfall, member: m, parameters: {flow: {interval: 1h}}}]
"""


@pytest.fixture(autouse=True)
def log_of_its_own() -> Iterator[None]:
    """`run` logs to stderr, which here is the captured one of a test, closed after it."""
    yield
    structlog.reset_defaults()


@pytest.fixture
def plant_file(tmp_path: Path) -> Path:
    path = tmp_path / "plant.yaml"
    path.write_text(PLANT, encoding="utf-8")
    return path


def test_the_api_speaks_tls_and_nothing_else(tmp_path: Path, plant_file: Path) -> None:
    authority, port = Authority(tmp_path / "ca"), free_port()
    settings = Settings(data=tmp_path / "data", port=port, tls=authority.issue("server"))
    service = Service(load_plant(plant_file), settings, SystemClock())
    service.start()
    try:
        trust = ssl.create_default_context(cafile=str(authority.ca))

        def health() -> int:
            connection = http.client.HTTPSConnection("127.0.0.1", port, context=trust, timeout=5)
            connection.request("GET", "/api/v1/health")
            answer = connection.getresponse()
            assert json.load(answer)["status"] in ("ok", "degraded")
            connection.close()
            return answer.status

        def answers() -> bool:
            try:
                return health() == 200
            except OSError:
                return False

        wait_until(answers, 30, "the API answers")
        assert service.api_url == f"https://127.0.0.1:{port}"
        plain = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        with pytest.raises((http.client.HTTPException, OSError)):
            plain.request("GET", "/api/v1/health")
            plain.getresponse()
        plain.close()
    finally:
        service.stop()


@pytest.mark.parametrize(
    ("names", "told"),
    [
        (("missing.pem", "missing.key"), "missing.pem"),
        (("plant.yaml", "plant.yaml"), "expected both as PEM"),
        (("plant.yaml",), "belong together"),
    ],
)
def test_a_certificate_that_is_none_is_an_error_at_the_start(
    tmp_path: Path, plant_file: Path, names: tuple[str, ...], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    options = [x for pair in zip(("--tls-cert", "--tls-key"), names) for x in (pair[0], str(tmp_path / pair[1]))]
    assert main(["run", str(plant_file), "--data", str(tmp_path / "data"), *options]) == 1
    assert told in capsys.readouterr().err


def test_a_key_with_a_password_is_told_and_asks_nobody(
    tmp_path: Path, plant_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    certificate, key = Authority(tmp_path / "ca").issue("server", password="secret")
    options = ["--tls-cert", str(certificate), "--tls-key", str(key)]
    assert main(["run", str(plant_file), "--data", str(tmp_path / "data"), *options]) == 1
    assert "protected by a password" in capsys.readouterr().err
