"""One shell for a page, and a ``plant-monitor`` in it that has done its imports already.

Starting the command anew costs more than most of what pages do with it, so it is forked from a process that has
imported it: same code, same arguments, its own process; its output goes where the shell says.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import selectors
import signal
import socket
import subprocess
import sys
import time
import traceback
from contextlib import suppress
from pathlib import Path

import pytest

PATIENCE_S = 60
BIN = Path(sys.executable).parent

_CLIENT = """#!{python} -IS
import json, os, signal, socket, sys
server = socket.socket(socket.AF_UNIX)
server.connect({address!r})
asked = json.dumps({{"argv": sys.argv[1:], "cwd": os.getcwd(), "env": dict(os.environ)}}).encode()
socket.send_fds(server, [len(asked).to_bytes(4, "big")], [0, 1, 2])
server.sendall(asked)
child = int.from_bytes(server.recv(4), "big")
for number in (signal.SIGINT, signal.SIGTERM):
    signal.signal(number, lambda number, _: os.kill(child, number))
sys.exit(int.from_bytes(server.recv(1) or b"\\xff", "big"))
"""


class Shell:
    """What a block sets, the next one has."""

    def __init__(self, folder: Path, values: dict[str, str]) -> None:
        self.folder = folder
        (folder / ".bin").mkdir()
        address = folder / ".commands"
        shim = folder / ".bin" / "plant-monitor"
        shim.write_text(_CLIENT.format(python=sys.executable, address=str(address)), encoding="utf-8")
        shim.chmod(0o755)
        path = os.pathsep.join([str(shim.parent), str(BIN), os.environ["PATH"]])
        settings = {"COLUMNS": "100", "PYTHONUTF8": "1", "TERM": "dumb", "HOME": str(folder), "PATH": path, **values}
        self._commands = subprocess.Popen([sys.executable, __file__, str(address)], stdout=subprocess.PIPE)
        self._process = subprocess.Popen(
            ["sh"],
            cwd=folder,
            env={**os.environ, **settings},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        self._count = 0
        assert self._commands.stdout is not None and self._commands.stdout.readline() == b"ready\n"

    def run(self, text: str) -> tuple[bool, str]:
        """Type a block; whether all of it went well, and what it said."""
        self._count += 1
        script, end = self.folder / f".block-{self._count}.sh", f"-- end of block {self._count}\n"
        script.write_text(text, encoding="utf-8")
        assert self._process.stdin is not None
        self._process.stdin.write(f"set -e\n. ./{script.name}\nset +e\nprintf -- '{end[:-1]}\\n'\n".encode())
        self._process.stdin.flush()
        said = self._read_until(end)
        return said.endswith(end), said.removesuffix(end)

    def close(self) -> None:
        """End the shell and all that it left running."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._commands.terminate()
        for process in (self._process, self._commands):
            process.wait()
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    pipe.close()

    def _read_until(self, end: str) -> str:
        assert self._process.stdout is not None
        said, deadline = b"", time.monotonic() + PATIENCE_S
        with selectors.DefaultSelector() as ready:
            ready.register(self._process.stdout, selectors.EVENT_READ)
            while not said.endswith(end.encode()):
                if not ready.select(max(0.0, deadline - time.monotonic())):
                    return said.decode() + f"\n(nothing more within {PATIENCE_S} s)"
                part = os.read(self._process.stdout.fileno(), 65536)
                if not part:
                    break  # a command failed: the shell has ended
                said += part
        return said.decode()


def serve(address: str) -> None:
    """Fork a command for each client; ends with SIGTERM, and its commands with it."""
    from plant_monitor.cli import main

    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    server = socket.socket(socket.AF_UNIX)
    server.bind(address)
    server.listen()
    os.set_inheritable(server.fileno(), False)
    print("ready", flush=True)
    while True:
        client, _ = server.accept()
        if os.fork() == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            size, files, _, _ = socket.recv_fds(client, 4, 3)
            asked = json.loads(client.recv(int.from_bytes(size, "big"), socket.MSG_WAITALL))
            for number, file in enumerate(files):
                os.dup2(file, number)
                os.close(file)
            os.chdir(asked["cwd"])
            os.environ.clear()
            os.environ.update(asked["env"])
            client.sendall(os.getpid().to_bytes(4, "big"))
            code = main(asked["argv"])
            sys.stdout.flush()
            sys.stderr.flush()
            client.sendall(bytes([code]))
            os._exit(code)
        client.close()


if __name__ == "__main__":
    serve(sys.argv[1])


class Cells:
    """The cells of a page in Python, as a notebook runs them: in one space of names, in the shell's folder."""

    def __init__(self, folder: Path, values: dict[str, str]) -> None:
        self._folder, self._values = folder, values
        self._names: dict[str, object] = {}
        self.key = ""

    def run(self, text: str) -> tuple[bool, str]:
        """Whether it ran to its end, and what it printed; or what it raised."""
        out = io.StringIO()
        with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(out):
            patch.chdir(self._folder)
            for name, value in {**self._values, "KEY": self.key}.items():
                patch.setenv(name, value)
            try:
                exec(compile(text, "cell", "exec"), self._names)
            except Exception:  # noqa: BLE001  told as the cell would tell it
                return False, out.getvalue() + traceback.format_exc()
        return True, out.getvalue()
