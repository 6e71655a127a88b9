"""One consistent set of everything that cannot be had again: journal, ledger, plant.yaml. Made while the service runs.

The archive (.tar.gz) names every file's digest in ``manifest.json``; a restore checks them, and the journal,
before it says done. Secrets are never in it: only the names under which plant.yaml looks for them.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
import sqlite3
import tarfile
import tempfile
from contextlib import closing
from pathlib import Path
from typing import Any

from plant_monitor import __version__
from plant_monitor.data_folder import DataFolder
from plant_monitor.errors import InputError, StoreError
from plant_monitor.plant import Plant

FORMAT = 1
MANIFEST, PLANT_FILE = "manifest.json", "plant.yaml"
_SECRET = re.compile(r"\b(?:env|file):[^\s'\"},\]]+")


def backup(plant: Plant, folder: DataFolder, archive: Path, *, now_ms: int) -> dict[str, Any]:
    """Write the archive; its manifest.

    Each database is copied on one snapshot, the journal first: an alert that is in the copy of the ledger may
    rest on readings a moment younger than the copy of the journal, and no alert that was sent is forgotten.

    Raises
    ------
    InputError  there is nothing to back up, or the archive exists already
    """
    if archive.exists():
        raise InputError(f"{archive} exists already; nothing is overwritten")
    if not folder.journal_file.exists():
        raise InputError(f"{folder.journal_file}: no journal to back up; name the data folder with --data")
    with tempfile.TemporaryDirectory(dir=archive.resolve().parent) as scratch:
        copies = [_copy(path, Path(scratch) / path.name) for path in (folder.journal_file, folder.ledger_file)]
        text = Path(scratch) / PLANT_FILE
        text.write_text(plant.source_text, encoding="utf-8")
        files = [path for path in (*copies, text) if path is not None]
        manifest = {
            "format": FORMAT,
            "product": f"plant-monitor {__version__}",
            "plant": plant.id,
            "plant_digest": plant.digest,
            "made_ms": now_ms,
            "secrets": sorted(set(_SECRET.findall(plant.source_text))),
            "sha256": {path.name: _digest(path) for path in files},
        }
        part = archive.with_name(archive.name + ".part")
        with tarfile.open(part, "w:gz", compresslevel=1) as tar:
            _add(tar, MANIFEST, json.dumps(manifest, indent=2, ensure_ascii=False).encode())
            for path in files:
                tar.add(path, path.name)
        part.replace(archive)
    return manifest


def restore(archive: Path, folder: DataFolder) -> dict[str, Any]:
    """Unpack an archive into an empty folder; its manifest.

    Raises
    ------
    InputError  the folder is not empty, or the file is no such archive
    StoreError  the archive is damaged: nothing is left behind
    """
    if folder.path.exists() and any(folder.path.iterdir()):
        raise InputError(f"{folder.path} is not empty; restore into a new folder and move it into place")
    folder.path.mkdir(parents=True, exist_ok=True)
    try:
        return _unpack(archive, folder)
    except BaseException:
        for name in (folder.journal_file.name, folder.ledger_file.name, PLANT_FILE):
            (folder.path / name).unlink(missing_ok=True)
        raise


def _unpack(archive: Path, folder: DataFolder) -> dict[str, Any]:
    allowed = {folder.journal_file.name, folder.ledger_file.name, PLANT_FILE}
    try:
        with tarfile.open(archive, "r:gz") as tar:
            stream = tar.extractfile(MANIFEST)
            manifest: dict[str, Any] = json.load(stream) if stream is not None else {}
            if manifest.get("format") != FORMAT or not set(manifest["sha256"]) <= allowed:
                raise InputError(
                    f"{archive}: format {manifest.get('format')}, expected {FORMAT}: use a newer plant-monitor"
                )
            for name in manifest["sha256"]:
                content = tar.extractfile(name)
                if content is not None:
                    with (folder.path / name).open("wb") as target:
                        while block := content.read(1 << 20):
                            target.write(block)
    except (tarfile.TarError, KeyError, ValueError, OSError, EOFError) as error:
        raise StoreError(f"{archive} cannot be read as a backup: {error}") from error
    for name, digest in manifest["sha256"].items():
        if _digest(folder.path / name) != digest:
            raise StoreError(f"{archive}: {name} is damaged (its digest is not that of the manifest)")
    if manifest["plant_digest"] != manifest["sha256"][PLANT_FILE]:
        raise StoreError(f"{archive}: its plant.yaml is not the one that the backup was made with")
    return manifest


def _copy(source: Path, target: Path) -> Path | None:
    """A database on one snapshot, while others write it."""
    if not source.exists():
        return None
    with (
        closing(sqlite3.connect(f"file:{source}?mode=ro", uri=True)) as reading,
        closing(sqlite3.connect(target)) as copy,
    ):
        reading.backup(copy)
        copy.execute("PRAGMA journal_mode=DELETE")  # one file, whole by itself
    return target


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size = len(content)
    tar.addfile(entry, io.BytesIO(content))
