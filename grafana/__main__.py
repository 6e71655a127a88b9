"""Write the dashboards of a plant, or check that the committed ones are what would be written.

python -m grafana [PLANT.yaml] [--check]
"""

import argparse
import sys
from pathlib import Path

from grafana.overview import plant_overview
from plant_monitor.config.plant_file import load_plant

ROOT = Path(__file__).parent


def main() -> int:
    """0 done or no drift, 1 drift."""
    parser = argparse.ArgumentParser(prog="python -m grafana", description=__doc__)
    parser.add_argument("plant", nargs="?", type=Path, default=ROOT.parent / "examples/xieqiao/plant.yaml")
    parser.add_argument("--check", action="store_true", help="write nothing; fail where a file would change")
    asked = parser.parse_args()
    plant = load_plant(asked.plant, secrets=False)
    drifted = []
    for name, text in {"plant-overview.json": plant_overview(plant)}.items():
        path = ROOT / "dashboards" / name
        if asked.check and (not path.exists() or path.read_text(encoding="utf-8") != text):
            drifted.append(path)
        if not asked.check:
            path.write_text(text, encoding="utf-8")
    for path in drifted:
        print(f"{path} is not what `python -m grafana` writes: run it and commit the result", file=sys.stderr)
    return 1 if drifted else 0


if __name__ == "__main__":
    sys.exit(main())
