"""`make bench`: every benchmark, or those named: python -m benchmarks [NAME …]"""

import importlib
import pkgutil
import sys
from pathlib import Path

names = sorted(m.name for m in pkgutil.iter_modules([str(Path(__file__).parent)]) if not m.name.startswith("_"))
for name in sys.argv[1:] or names:
    if name not in names:
        sys.exit(f"no benchmark {name!r}; there are: {', '.join(names)}")
    print(f"== {name}", flush=True)
    importlib.import_module(f"benchmarks.{name}").main()
