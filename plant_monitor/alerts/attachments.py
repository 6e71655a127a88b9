"""Files that belong to a step of an alert."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

MAX_BYTES = 2_000_000  # of one file
MAX_FILES = 5  # of one step


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file as it was handed in."""

    name: str
    media_type: str
    content: bytes

    @property
    def sha256(self) -> str:
        """By which it is known again."""
        return hashlib.sha256(self.content).hexdigest()
