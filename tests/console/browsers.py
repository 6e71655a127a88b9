"""The console in Debian's Chromium: a server over the small plant of the API's tests, and people who are signed in."""

from __future__ import annotations

import importlib.util
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from api.api_world import NOW, World, make_plant, make_readings, make_world
from servers import free_port, missing

from plant_monitor.readings import Readings, Refused
from plant_monitor.service import ApiServer
from plant_monitor.store.aside import Quarantined
from plant_monitor.store.memory import MemorySource

PASSWORD = "correct horse 电池"
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PEOPLE = {"operator": "", "officer": "", "alpha": "alpha", "beta": "beta"}  # account → member


# As a service says it: one device well, one silent, one series of each.
HEALTH: dict[str, Any] = {
    "status": "degraded",
    "configuration": {"digest": "0" * 64, "since_ms": NOW, "error": None},
    "journal": {"readings": 1800, "superseded": 1, "quarantined": 1, "outbox_rows": 0},
    "disk": {"used_share": 0.4, "state": "ok"},
    "clock": {"state": "ok"},
    "devices": [
        {"id": "plc", "protocol": "modbus-tcp", "state": "ok", "silent": False, "last_good_ms": NOW, "requests": 9}
        | {"missed": 0},
        {"id": "station", "protocol": "mqtt", "state": "subscribed", "silent": True, "last_message_ms": None}
        | {"messages": 0},
    ],
    "series": [
        {"point": "plant-effluent", "parameter": "flow", "state": "ok", "age_s": 3.0, "devices": ["plc"]},
        {"point": "plant-effluent", "parameter": "cod_cr", "state": "silent", "age_s": None, "devices": ["station"]},
    ],
}
REFUSED = Quarantined(
    7, Refused("station plants/small/x/readings", "no point 'x'", b"<script>alert(1)</script>", NOW), None
)


class GrowingSource(MemorySource):
    """Readings in memory, to which more come."""

    def add(self, readings: Readings) -> None:
        MemorySource.__init__(self, Readings.concat([self._readings, readings]))


@dataclass
class Site:
    """A served console: its address, and what is behind it."""

    world: World
    source: GrowingSource
    port: int
    server: ApiServer | None = None

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        self.server = ApiServer(self.world.client.app, "127.0.0.1", self.port)
        self.server.start()

    def stop(self) -> None:
        assert self.server is not None
        self.server.stop()


@contextmanager
def served(folder: Path) -> Iterator[Site]:
    """A console with an account for everybody."""
    from plant_monitor.console.serving import add_console

    source = GrowingSource(make_readings(make_plant()))
    world = make_world(folder, source=source, quarantine=lambda limit, after_id: [REFUSED][:limit])
    world.health = HEALTH
    for name, member in PEOPLE.items():
        role = "member" if member else name
        world.ledger.users.add(name, role, member=member, password=PASSWORD, now_ms=NOW)
    add_console(world.client.app)  # type: ignore[arg-type]
    site = Site(world, source, free_port())
    site.start()
    try:
        yield site
    finally:
        site.stop()
        world.ledger.close()


@contextmanager
def chromium() -> Iterator[Any]:
    """A browser without a window; skips the test (fails it under CI) where it is not installed."""
    found = shutil.which("chromium")
    if found is None or importlib.util.find_spec("playwright") is None:
        missing("a browser", "pip install playwright, apt-get install chromium fonts-wqy-microhei")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as tool:
        browser = tool.chromium.launch(executable_path=found, args=FLAGS)
        yield browser
        browser.close()


@dataclass
class Person:
    """Somebody's own browser profile: a page, what it asked for, and what went wrong in it."""

    site: Site
    page: Any
    asked: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    def go(self, path: str) -> None:
        self.page.goto(self.site.address + path)

    def text(self, selector: str = "body") -> str:
        return str(self.page.inner_text(selector))

    def choose(self, label: str, option: str) -> None:
        """Choose one of a list."""
        self.page.locator(".q-select").filter(has_text=label).click()
        self.page.get_by_role("option", name=option, exact=True).click()

    def press(self, name: str) -> None:
        """Press a button with the keyboard."""
        button = self.page.get_by_role("button", name=name, exact=True)
        button.focus()
        self.page.keyboard.press("Enter")

    def sign_in(self, name: str, password: str = PASSWORD) -> None:
        self.page.fill("#name", name)
        self.page.fill("#password", password)
        self.page.click("button[type=submit]")


@contextmanager
def person(browser: Any, site: Site, name: str = "", language: str = "zh", **more: Any) -> Iterator[Person]:
    """Somebody at the console, signed in where there is a name. In the end nothing went wrong or left the machine."""
    context = browser.new_context(locale="zh-CN" if language == "zh" else "en-GB", **more)
    one = Person(site, context.new_page())
    one.page.set_default_timeout(20_000)
    one.page.on("request", lambda request: one.asked.append(request.url))
    one.page.on("websocket", lambda socket: one.asked.append(socket.url))
    one.page.on("pageerror", lambda error: one.wrong.append(str(error)))
    one.page.on("console", lambda said: one.wrong.append(said.text) if said.type == "error" else None)
    try:
        if name:
            one.go("/")
            one.sign_in(name)
            one.page.wait_for_selector("main.page")
        yield one
    finally:
        context.close()
    own = (f"{site.address}/", f"ws://127.0.0.1:{site.port}/", "data:", "blob:")
    assert one.asked and all(url.startswith(own) for url in one.asked), "a request left the machine"
    assert not one.wrong, one.wrong
