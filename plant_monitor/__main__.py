"""``python -m plant_monitor``: the commands."""

import sys

from plant_monitor.cli import main

sys.exit(main())
