"""What forms share: handing in what they say, files that go with it, a reason before something is taken back."""

from __future__ import annotations

import base64
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from nicegui import events, ui
from nicegui.elements.label import Label

from plant_monitor.alerts.attachments import MAX_BYTES, MAX_FILES
from plant_monitor.console.asking import NotAnswered
from plant_monitor.console.html import Html, h
from plant_monitor.console.page import Visit

_REFUSED = "(refused) => emit(refused.map((one) => [one.failedPropValidation, one.file.name]))"


def trouble() -> Label:
    """Where a form says why it was refused."""
    return ui.label().classes("trouble").props('role="alert"')


async def sent(visit: Visit, path: str, body: Mapping[str, Any], told: Label) -> Any:
    """The answer to what a form says; None where it is refused: ``told`` then says why."""
    try:
        answer = await visit.asking.post(path, body)
    except NotAnswered as refused:
        told.text = refused.message
        return None
    told.text = ""
    ui.notify(visit.words("已记录", "Recorded"), type="positive")
    return answer


class Files:
    """Files that go with a form. They come to the server when they are chosen, and on with the form."""

    def __init__(self, visit: Visit) -> None:
        self._words, self._coming = visit.words, False
        self._chosen: list[tuple[str, str, bytes]] = []
        w = self._words
        with ui.element("div").classes("files"):
            self._upload = (
                ui.upload(multiple=True, auto_upload=True, max_file_size=MAX_BYTES, on_upload=self._take)
                .on("start", self._begun)
                .on("finish", self._over)
                .on("rejected", self._refuse, js_handler=_REFUSED)
                .props("no-thumbnails")  # they are not shown, and our policy takes no picture but our own
                .style("display: none")
            )
            pick = f"() => getElement({self._upload.id}).$refs.qRef.pickFiles()"
            ui.button(w("添加附件…", "Attach files …")).props("flat dense no-caps").on("click", js_handler=pick)
            most = MAX_BYTES // 1_000_000
            hint = w(f"至多 {MAX_FILES} 个,每个不超过 {most} MB", f"at most {MAX_FILES}, of {most} MB each")
            ui.html(h("small", hint, class_="fresh"), sanitize=False)
            self._shown = ui.row().props(f'aria-label="{w("附件", "Attachments")}" aria-live="polite"')
            self._told = trouble()

    def bodies(self) -> list[dict[str, str]] | None:
        """The files as the API takes them; None while one is still on its way, which is told."""
        if self._coming:
            self._told.text = self._words("附件还在上传,请稍候", "A file is still being uploaded; wait a moment")
            return None
        return [
            {"name": name, "media_type": kind, "content": base64.b64encode(content).decode()}
            for name, kind, content in self._chosen
        ]

    def clear(self) -> None:
        """None are chosen any more."""
        self._chosen.clear()
        self._told.text = ""
        self._show()

    def _begun(self) -> None:
        self._coming, self._told.text = True, ""

    def _over(self) -> None:
        self._coming = False
        self._upload.reset()  # so that a file which was taken away can be chosen again

    async def _take(self, event: events.UploadEventArguments) -> None:
        if len(self._chosen) >= MAX_FILES:
            self._tell(event.file.name, self._words(f"至多 {MAX_FILES} 个", f"at most {MAX_FILES}"))
            return
        kind = event.file.content_type or "application/octet-stream"
        self._chosen.append((event.file.name, kind.partition(";")[0], await event.file.read()))
        self._show()

    def _refuse(self, event: events.GenericEventArguments) -> None:
        for why, name in event.args:
            large = self._words(f"超过 {MAX_BYTES // 1_000_000} MB", f"larger than {MAX_BYTES // 1_000_000} MB")
            self._tell(name, large if why == "max-file-size" else self._words("未接收", "not taken"))

    def _tell(self, name: str, why: str) -> None:
        self._told.text = f"{name}: {why}"

    def _show(self) -> None:
        self._shown.clear()
        with self._shown:
            for place, (name, _, content) in enumerate(self._chosen):
                remove = self._words(f"移除附件 {name}", f"Remove {name}")
                ui.button(f"{name} · {size(len(content))} ✕", on_click=lambda p=place: self._drop(p)).props(
                    "outline dense no-caps"
                ).props["aria-label"] = remove

    def _drop(self, place: int) -> None:
        del self._chosen[place]
        self._show()


def size(count: int) -> str:
    """So many bytes, as people read them."""
    return f"{count} B" if count < 1000 else f"{count / 1000:.0f} kB" if count < 1_000_000 else f"{count / 1e6:.1f} MB"


def file_links(files: Sequence[Mapping[str, Any]], base: str) -> list[Html]:
    """Links that fetch the files of a step; ``base`` is the route of whose they are."""
    return [
        h("a", f"{f['name']} ({size(f['bytes'])})", href=f"/api/v1{base}/attachments/{f['place']}", download=f["name"])
        for f in files
    ]


class TakeBack:
    """A dialog that asks why something is to end or be undone, and does it."""

    def __init__(
        self,
        visit: Visit,
        title: str,
        path: Callable[[str], str],
        done: Callable[[], Awaitable[None]],
    ) -> None:
        self._visit, self._path, self._done, self._number = visit, path, done, ""
        w = visit.words
        with ui.dialog() as self._dialog, ui.card().classes("form"):
            ui.html(h("h2", title), sanitize=False)
            self._reason = ui.input(w("原因", "Reason")).props("maxlength=2000 autofocus")
            self._told = trouble()
            with ui.row():
                ui.button(title, on_click=self._send).props("no-caps")
                ui.button(w("取消", "Cancel"), on_click=self._dialog.close).props("flat no-caps")

    async def open(self, number: str) -> None:
        """Ask about one."""
        self._number, self._reason.value, self._told.text = number, "", ""
        self._dialog.open()

    async def _send(self) -> None:
        if await sent(self._visit, self._path(self._number), {"reason": self._reason.value}, self._told) is not None:
            self._dialog.close()
            await self._done()
