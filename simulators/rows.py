"""Rows of a table served as a Modbus TCP device: recorded SCADA data on a real wire, at the pace of any clock."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from plant_monitor.clock import Clock
from plant_monitor.plant import ModbusDevice
from simulators.devices import Gateway, NothingToShow, Unit

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


class RowServer:
    """A Modbus TCP server, in a thread of its own, that shows row k from ``times[k]`` until ``times[k + 1]``.

    Parameters
    ----------
    device   its address (port 0 = any free one, see ``port``), unit id and registers
    times    (n,) ms since 1970, ascending
    rows     (n, number of ``device.readings``) in plant.yaml's units; NaN = the pattern for "no value"
    clock    whose present instant chooses the row
    hold_ms  how long a row stands at most; outside of rows the device answers with an exception code.
             None: until the next one, the last for ever
    """

    def __init__(
        self, device: ModbusDevice, times: IntArray, rows: FloatArray, clock: Clock, hold_ms: int | None = None
    ) -> None:
        if rows.shape != (times.size, len(device.readings)):
            raise ValueError(f"rows of shape {rows.shape}, expected {(times.size, len(device.readings))}")
        self.device, self.times, self.rows, self.clock, self.hold_ms = device, times, rows, clock, hold_ms
        self.served: list[int] = []  # rows that a request saw, in order
        self.port = device.port
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name=f"rows of {device.id}", daemon=True)
        self._gateway = Gateway(device.host, device.port, [_RowUnit(self)], clock)

    def start(self) -> RowServer:
        """Listen."""
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._gateway.start(), self._loop).result(10)
        self.port = self._gateway.port
        self.device = replace(self.device, port=self.port)
        return self

    def stop(self) -> None:
        """Close the port and end the thread."""
        asyncio.run_coroutine_threadsafe(self._gateway.stop(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def __enter__(self) -> RowServer:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def row_at(self, now_ms: int) -> int | None:
        """The row that stands at an instant."""
        row = int(np.searchsorted(self.times, now_ms, side="right")) - 1
        if row < 0 or (self.hold_ms is not None and now_ms >= self.times[row] + self.hold_ms):
            return None
        return row


class _RowUnit(Unit):
    """A unit whose words come from the row of the instant, to the millisecond."""

    def __init__(self, server: RowServer) -> None:
        self._server = server
        super().__init__(server.device, self._row)

    def _row(self, times: IntArray) -> Sequence[FloatArray]:
        row = self._server.row_at(int(times[0]))
        if row is None:
            raise NothingToShow(f"no row at {times[0]}")
        self._server.served.append(row)
        return [self._server.rows[row : row + 1, k] for k in range(self._server.rows.shape[1])]

    def words(self, table: str, address: int, count: int, now_ms: int) -> list[int]:
        """Registers of a table as the row of the instant has them."""
        at = address - self._tables[table].first
        return self._encoded(self._row(np.array([now_ms])), 1)[table][0][at : at + count]
