"""An MQTT broker inside the process, so that the demo needs no server. It keeps nothing on disk: for demos only."""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import socket
from typing import Any

from plant_monitor.errors import ConfigError, Problem, SourceError


def loopback(address: str) -> tuple[str, int]:
    """(host, port) of ``HOST:PORT``; anyone may connect to this broker, so only the machine itself can reach it.

    Raises
    ------
    ConfigError  not of that form, or not a loopback address
    """
    host, _, port = address.rpartition(":")
    try:
        parsed = ipaddress.ip_address("127.0.0.1" if host == "localhost" else host.strip("[]"))
        number = int(port)
    except ValueError:
        parsed, number = None, 0
    if parsed is None or not parsed.is_loopback or not 0 < number < 65536:
        raise ConfigError([Problem("--broker", "", repr(address), "a loopback address such as 127.0.0.1:1883")])
    return str(parsed), number


QUIET_CHECKS, CHECK_S, DRAIN_S = 5, 0.04, 3.0


class EmbeddedBroker:
    """amqtt on a loopback port. Runs in the asyncio loop that starts it."""

    def __init__(self, host: str, port: int) -> None:
        self.host, self.port = host, port
        self._broker: Any = None

    async def start(self) -> None:
        """Listen.

        Raises
        ------
        SourceError  amqtt is not installed, or the port is taken
        """
        try:
            from amqtt.broker import Broker
            from amqtt.errors import BrokerError
        except ImportError as error:
            raise SourceError("the embedded broker needs amqtt: pip install 'plant-monitor[demo]'") from error
        for noisy in ("amqtt", "transitions"):
            logging.getLogger(noisy).setLevel(logging.CRITICAL)
        with socket.socket(socket.AF_INET6 if ":" in self.host else socket.AF_INET) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((self.host, self.port))
            except OSError as error:
                raise SourceError(f"broker at {self.host}:{self.port}: {error.strerror}; choose a free port") from error
        host = f"[{self.host}]" if ":" in self.host else self.host
        config = {
            "listeners": {"default": {"type": "tcp", "bind": f"{host}:{self.port}"}},
            "plugins": {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}},
        }
        self._broker = Broker(config)
        try:
            await self._broker.start()
        except BrokerError as error:
            raise SourceError(f"broker at {self.host}:{self.port}: {error}") from error

    async def stop(self) -> None:
        """Let subscribers take what is on its way, then disconnect everybody and close the port."""
        if self._broker is not None:
            await self._drain()
            await self._broker.shutdown()
            self._broker = None

    async def _drain(self) -> None:
        """Wait until every subscriber has acknowledged what was sent to it, some seconds at most.

        What a publisher was told is delivered would else be lost with the broker's memory.
        """
        from amqtt.broker import BrokerContext

        sessions = BrokerContext(self._broker)
        quiet = 0
        for _ in range(round(DRAIN_S / CHECK_S)):
            quiet = quiet + 1 if not any(s.inflight_out_count for s in sessions.sessions) else 0
            if quiet >= QUIET_CHECKS:
                return
            await asyncio.sleep(CHECK_S)
