"""Fixtures for every test: real servers, shipped excerpts of real data, and the data folder beside the checkout."""

from __future__ import annotations

import gzip
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from servers import Influxd, Mosquitto, require_server, under_ci

ROOT = Path(__file__).resolve().parents[1]

# Neither a slow machine nor a lucky day decides whether a law holds: no deadline, and CI draws the same examples
# always.  `HYPOTHESIS_PROFILE=deep` searches long, by hand.
settings.register_profile("dev", deadline=None, max_examples=50, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("ci", settings.get_profile("dev"), derandomize=True, print_blob=True)
settings.register_profile("deep", settings.get_profile("dev"), max_examples=5_000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci" if under_ci() else "dev"))

# All servers of the tests are on loopback; a proxy of the environment must not come between.
os.environ["NO_PROXY"] = os.environ["no_proxy"] = "127.0.0.1,localhost"


@pytest.fixture
def mosquitto(tmp_path: Path) -> Iterator[Mosquitto]:
    """A running MQTT broker of the test's own: ``host``, ``port``, ``url``, ``start``, ``stop``, ``kill``."""
    server = Mosquitto(require_server("mosquitto"), tmp_path / "mosquitto")
    server.start()
    yield server
    server.stop()


@pytest.fixture
def influxd(tmp_path: Path) -> Iterator[Influxd]:
    """A running InfluxDB 1.x of the test's own: as the broker, and ``create_database``, ``query_csv``."""
    server = Influxd(require_server("influxd"), tmp_path / "influxd")
    server.start()
    yield server
    server.kill()


@pytest.fixture(scope="session")
def test_data() -> Path:
    """The excerpts of real data that the project ships (``tests/data``; sources and licences in its NOTICE)."""
    return ROOT / "tests" / "data"


@pytest.fixture
def gunzip(tmp_path: Path, test_data: Path) -> Callable[[str], Path]:
    """``gunzip("plant/memphis_influent_5min.csv")``: the unpacked file, from its ``.gz`` in ``tests/data``."""

    def unpack(name: str) -> Path:
        target = tmp_path / Path(name).name
        target.write_bytes(gzip.decompress((test_data / f"{name}.gz").read_bytes()))
        return target

    return unpack


@pytest.fixture
def billing_case(tmp_path: Path, test_data: Path) -> Callable[[str], Path]:
    """``billing_case("guthrie-user-charge")``: a folder with its plant.yaml, costs.csv, readings.csv, expected.json."""

    def unpack(name: str) -> Path:
        folder = tmp_path / name
        shutil.copytree(test_data / "billing" / "cases" / name, folder)
        for packed in folder.glob("*.gz"):
            packed.with_suffix("").write_bytes(gzip.decompress(packed.read_bytes()))
            packed.unlink()
        return folder

    return unpack


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The full data folder: ``$PLANT_MONITOR_SHARED/data``, or ``../shared/data`` beside the checkout."""
    folder = Path(os.environ.get("PLANT_MONITOR_SHARED", str(ROOT.parent / "shared"))) / "data"
    if not folder.is_dir():
        pytest.skip(f"the data folder {folder} is not there: set PLANT_MONITOR_SHARED to the folder that holds data/")
    return folder
