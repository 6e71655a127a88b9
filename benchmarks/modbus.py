"""Rates of Modbus polling: `python -m benchmarks.modbus` prints them; nothing is asserted.

The device is a bare socket in a process of its own, which answers faster than any instrument, so that what is
measured is the client. 48 readings of 8 instruments, float32, low word first, lie in 4 requests. The bare client
is pymodbus's `ModbusTcpClient` in a loop over the same requests; ours checks every byte of a frame, decodes,
scales and marks. Runs alternate, and the best of each counts: what disturbs is never faster.
"""

from __future__ import annotations

import multiprocessing
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from pymodbus.client import ModbusTcpClient

from plant_monitor.ingest.blocks import Block, plan
from plant_monitor.ingest.modbus_link import Lines, LinkLost
from plant_monitor.ingest.modbus_reader import BlockReader
from plant_monitor.ingest.samples import pieces
from plant_monitor.plant import ModbusDevice
from plant_monitor.register_maps import RegisterReading

ROUNDS, TURNS = 400, 7
SILENT_UNIT = 9


def readings() -> tuple[RegisterReading, ...]:
    """Four groups of twelve neighbours, far from each other."""
    return tuple(
        RegisterReading(
            f"point{i // 6}", f"parameter{i % 6}", "holding", 1000 * (i // 12) + 2 * (i % 12), "float32", "CDAB"
        )
        for i in range(48)
    )


def device(port: int, unit_id: int = 1) -> ModbusDevice:
    """The device of the bench."""
    return ModbusDevice(f"plc{unit_id}", "127.0.0.1", port, unit_id, 10_000, readings(), timeout_ms=200)


def _answer(connection: socket.socket) -> None:
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    with connection:
        while request := connection.recv(12):
            if request[6] == SILENT_UNIT:
                continue
            size = 2 * struct.unpack(">H", request[10:12])[0]
            body = bytes([request[6], request[7], size]) + b"\x12\x34" * (size // 2)
            connection.sendall(request[:4] + len(body).to_bytes(2, "big") + body)


def _serve(ready: multiprocessing.SimpleQueue[int]) -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    ready.put(listener.getsockname()[1])
    while True:
        threading.Thread(target=_answer, args=(listener.accept()[0],), daemon=True).start()


@contextmanager
def server() -> Iterator[int]:
    """The port of a device in another process."""
    context = multiprocessing.get_context("spawn")
    ready = context.SimpleQueue()
    process = context.Process(target=_serve, args=(ready,), daemon=True)
    process.start()
    try:
        yield ready.get()
    finally:
        process.terminate()
        process.join()


def best(*works: Callable[[], object]) -> list[float]:
    """Seconds that each takes at its best, taken in turns."""
    spent = [float("inf")] * len(works)
    for _ in range(TURNS):
        for i, work in enumerate(works):
            started = time.perf_counter()
            work()
            spent[i] = min(spent[i], time.perf_counter() - started)
    return spent


def rates(port: int) -> None:
    """Requests a second: bare, our link alone, a whole try, and each reading by itself."""
    one = device(port)
    blocks = plan(piece for reading in one.readings for piece in pieces(reading))
    client = ModbusTcpClient(one.host, port=port)
    client.connect()
    link = Lines().link(one)
    reader = BlockReader(one, link)
    every = range(len(one.readings))

    def bare(convert: bool, wanted: list[Block]) -> None:
        for block in wanted:
            answer = client.read_holding_registers(block.first, count=block.count, device_id=1)
            if convert:
                client.convert_from_registers(answer.registers, client.DATATYPE.FLOAT32, word_order="little")

    def times(work: Callable[[], object]) -> Callable[[], None]:
        return lambda: [work() for _ in range(ROUNDS)] and None

    plain, converting, linked, tried = best(
        times(lambda: bare(False, blocks)),
        times(lambda: bare(True, blocks)),
        times(lambda: [link.read(block) for block in blocks]),
        times(lambda: reader.read(every)),
    )
    requests = ROUNDS * len(blocks)
    print(f"{len(one.readings)} readings in {len(blocks)} requests")
    print(f"{'bare pymodbus':34s} {requests / plain:8,.0f} requests/s")
    print(f"{'bare pymodbus, decoding':34s} {requests / converting:8,.0f} requests/s")
    print(f"{'link: every byte checked':34s} {requests / linked:8,.0f} requests/s, {plain / linked:.2f} of bare")
    print(
        f"{'whole try: decoded, scaled, marked':34s} {requests / tried:8,.0f} requests/s, {plain / tried:.2f} of bare,"
        f" {converting / tried:.2f} of bare, decoding"
    )
    single = [Block.of([piece]) for reading in one.readings for piece in pieces(reading)]
    (apart,) = best(lambda: bare(False, single))
    print(f"{'coalescing':34s} {ROUNDS * apart / tried:8,.1f} x as fast as bare requests reading by reading")
    client.close()
    link.leave()


def dead_device(port: int) -> None:
    """What three live devices lose to a fourth one that never answers."""
    lines = [Lines() for _ in range(4)]  # as devices at addresses of their own
    readers = [BlockReader(device(port, unit), lines[unit].link(device(port, unit))) for unit in range(3)]
    silent = lines[3].link(device(port, SILENT_UNIT))
    over = threading.Event()

    def poll(reader: BlockReader) -> None:
        for _ in range(ROUNDS // 4):
            reader.read(range(48))

    def all_three() -> None:
        threads = [threading.Thread(target=poll, args=(reader,)) for reader in readers]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def ask_the_dead() -> None:
        while not over.is_set():
            try:
                silent.read(Block("holding", 0, 24))
            except LinkLost:
                continue

    def beside_the_dead() -> None:
        over.clear()
        asking = threading.Thread(target=ask_the_dead)
        asking.start()
        started = time.perf_counter()
        all_three()
        spent.append(time.perf_counter() - started)
        over.set()
        asking.join()

    spent: list[float] = []
    (alone, _) = best(all_three, beside_the_dead)
    print(f"{'beside a device that never answers':34s} {alone / min(spent):8.2f} of the rate without it")


def main() -> None:
    """Print the rates."""
    with server() as port:
        rates(port)
        dead_device(port)


if __name__ == "__main__":
    main()
