"""Files that appear only when they are complete."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from plant_monitor.errors import InputError


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A path to write to; what stands there becomes ``path`` at the end, unless an exception comes.

    A pipe or device is written to as it is.

    Raises
    ------
    InputError  the file cannot be written
    """
    direct = path.exists() and not path.is_file()
    partial = path if direct else path.with_name(path.name + ".part")
    try:
        yield partial
        if not direct:
            partial.replace(path)
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror or error})") from None
    finally:
        if not direct:
            partial.unlink(missing_ok=True)
