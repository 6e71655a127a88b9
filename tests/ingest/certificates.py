"""A certification authority of the tests' own."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest


class Authority:
    """Issues certificates, by openssl."""

    def __init__(self, folder: Path) -> None:
        if shutil.which("openssl") is None:
            pytest.skip("needs openssl: apt-get install openssl")
        folder.mkdir()
        self.folder, self.ca = folder, folder / "ca.pem"
        self._openssl(
            "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=test-authority "
            f"-keyout {folder / 'ca.key'} -out {self.ca}"
        )

    def _openssl(self, arguments: str) -> None:
        subprocess.run(["openssl", *arguments.split()], check=True, capture_output=True)

    def issue(self, name: str, *, password: str | None = None) -> tuple[Path, Path]:
        """(certificate, key) for a name; for 127.0.0.1 as a server."""
        key, request, certificate = (self.folder / f"{name}.{end}" for end in ("key", "csr", "pem"))
        guard = "-nodes" if password is None else f"-passout pass:{password}"
        self._openssl(f"req -newkey rsa:2048 {guard} -subj /CN={name} -keyout {key} -out {request}")
        extension = self.folder / "extension"
        extension.write_text("subjectAltName=IP:127.0.0.1\n")
        self._openssl(
            f"x509 -req -in {request} -CA {self.ca} -CAkey {self.folder / 'ca.key'} -CAcreateserial -days 2 "
            f"-extfile {extension} -out {certificate}"
        )
        return certificate, key
