"""What plant.yaml publishes, and nothing else, for everybody; nothing where it publishes nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
from api.api_world import PLANT, World, make_world


def test_what_is_published_needs_no_key(world: World) -> None:
    told = world.get(None, "/public").json()
    (cod,) = told["series"]
    assert (cod["point"], cod["parameter"], cod["value"], cod["unit"]) == ("plant-effluent", "cod_cr", 45.0, "mg/L")
    yesterday = {name: cod["days"][0][name] for name in ("date", "value", "upper", "unit", "verdict")}
    assert yesterday == {"date": "2026-10-03", "value": 45.0, "upper": 50.0, "unit": "mg/L", "verdict": "met"}
    assert told["headroom"]["allowed"] == 1000.0
    assert told["plant"] == {"zh": "小厂", "en": "Small"}
    assert world.get("alpha", "/public").json() == told


def test_nothing_is_public_unless_plant_yaml_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = "\n".join(line for line in PLANT.splitlines() if not line.startswith("public_screen"))
    monkeypatch.setattr("api.api_world.PLANT", kept)
    world = make_world(tmp_path)
    assert world.get(None, "/public").status_code == 404
    assert world.get("admin", "/public").status_code == 404
    world.ledger.close()


def test_points_are_published_one_by_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said = "public_screen: {points: [plant-inlet]}"
    changed = "\n".join(said if line.startswith("public_screen") else line for line in PLANT.splitlines())
    monkeypatch.setattr("api.api_world.PLANT", changed)
    world = make_world(tmp_path)
    told = world.get(None, "/public").json()
    assert [(s["point"], s["parameter"]) for s in told["series"]] == [("plant-inlet", "flow"), ("plant-inlet", "ss")]
    assert told["headroom"] is None
    world.ledger.close()
