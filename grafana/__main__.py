"""Write the dashboards and alert rules of a plant, or check that the committed ones are what would be written.

python -m grafana [PLANT.yaml] [--console URL] [--check]
"""

import argparse
import sys
from pathlib import Path

from grafana.operation import alert_rules, alerts, devices
from grafana.overview import plant_overview
from grafana.quality import compliance_calendar, outfall_detail
from grafana.water import headroom_and_forecast, members
from plant_monitor.config.plant_file import load_plant
from plant_monitor.plant import Plant

ROOT = Path(__file__).parent
BOARDS = {
    "plant-overview": plant_overview,
    "outfall-detail": outfall_detail,
    "compliance-calendar": compliance_calendar,
    "headroom": headroom_and_forecast,
    "members": members,
    "devices": devices,
    "alerts": alerts,
}


def files(plant: Plant, console: str) -> dict[Path, str]:
    """Every file, by where it belongs."""
    made = {ROOT / "dashboards" / f"{name}.json": board(plant, console) for name, board in BOARDS.items()}
    return made | {ROOT / "provisioning" / "alerting" / "plant-monitor.yaml": alert_rules(plant)}


def main() -> int:
    """0 done or no drift, 1 drift."""
    parser = argparse.ArgumentParser(prog="python -m grafana", description=__doc__)
    parser.add_argument("plant", nargs="?", type=Path, default=ROOT.parent / "examples/xieqiao/plant.yaml")
    parser.add_argument("--console", default="http://127.0.0.1:8000", metavar="URL", help="where links lead to")
    parser.add_argument("--check", action="store_true", help="write nothing; fail where a file would change")
    asked = parser.parse_args()
    plant = load_plant(asked.plant, secrets=False)
    drifted = []
    for path, text in files(plant, asked.console.rstrip("/")).items():
        if asked.check and (not path.exists() or path.read_text(encoding="utf-8") != text):
            drifted.append(path)
        if not asked.check:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
    for path in drifted:
        print(f"{path} is not what `python -m grafana` writes: run it and commit the result", file=sys.stderr)
    return 1 if drifted else 0


if __name__ == "__main__":
    sys.exit(main())
