"""A PostgreSQL server of the tests' own: it refuses to run as root, so root runs it as ``nobody``."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from pathlib import Path

from servers import LOOPBACK, free_port, listening, wait_until


def find_server() -> Path | None:
    """The newest ``postgres`` of this machine, also where Debian hides it; None where there is none."""
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda p: int(p.parts[-3]))
    on_path = shutil.which("postgres")
    found = debian[-1] if debian else Path(on_path) if on_path else None
    return found.resolve() if found else None


class Postgres:
    """``url`` of an empty database; ``start``, ``stop``."""

    def __init__(self, executable: Path) -> None:
        self._bin = executable.parent
        # Not below pytest's folder, which only its owner may enter.
        self._folder = Path(tempfile.mkdtemp(prefix="plant-monitor-postgres-"))
        self._port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self._user = None
        if os.geteuid() == 0:
            nobody = pwd.getpwnam("nobody")
            os.chown(self._folder, nobody.pw_uid, nobody.pw_gid)
            self._user = nobody.pw_uid

    @property
    def url(self) -> str:
        return f"postgresql+psycopg://monitor@{LOOPBACK}:{self._port}/postgres"

    def start(self) -> None:
        data = self._folder / "data"
        self._run("initdb", "-D", str(data), "-U", "monitor", "-A", "trust", "-E", "UTF8", "--no-sync", "--locale=C")
        options = ["-D", str(data), "-h", LOOPBACK, "-p", str(self._port), "-k", str(self._folder), "-F"]
        self._process = subprocess.Popen(
            [self._bin / "postgres", *options], user=self._user, cwd=self._folder, stdout=-3, stderr=-3
        )
        wait_until(lambda: listening(self._port), 20, "PostgreSQL listens")
        wait_until(self._answers, 20, "PostgreSQL answers")

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(20)
        shutil.rmtree(self._folder, ignore_errors=True)

    def _answers(self) -> bool:
        import psycopg

        try:
            psycopg.connect(self.url.replace("+psycopg", ""), connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True

    def _run(self, name: str, *arguments: str) -> None:
        subprocess.run(
            [self._bin / name, *arguments], user=self._user, cwd=self._folder, check=True, capture_output=True
        )
