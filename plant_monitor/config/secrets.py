"""Secrets: named in plant.yaml as ``env:NAME`` or ``file:PATH``, read from there, never shown."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path


class SecretMissing(Exception):
    """The secret is not where the file says; ``found`` and ``expected`` are for the message."""

    def __init__(self, found: str, expected: str) -> None:
        self.found, self.expected = found, expected
        super().__init__(found)


def resolve(reference: str, base: Path, env: Mapping[str, str]) -> str:
    """The secret behind ``env:NAME`` or ``file:PATH`` (relative to the folder of plant.yaml), one line.

    Raises
    ------
    SecretMissing  the variable is not set, the file cannot be read, or either is empty
    """
    kind, _, name = reference.partition(":")
    name = name.strip()
    if kind == "env":
        text, where = env.get(name), f"the environment variable {name}"
        if text is None:
            raise SecretMissing(f"{reference}, but {where} is not set", f"{where} to hold the secret")
    else:
        path, where = base / name, f"the file {name}"
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
            raise SecretMissing(
                f"{reference}, but {where} cannot be read ({reason})", "a file with the secret"
            ) from None
    if not text.strip():
        raise SecretMissing(f"{reference}, but {where} is empty", "the secret")
    return text.strip()
