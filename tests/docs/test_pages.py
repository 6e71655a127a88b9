"""What README and docs tell their readers to type is typed here, and must show what they say it shows."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import typer
from docs.doc_demo import START, Demo
from docs.doc_pages import PAGES, ROOT, Block, blocks, commands, links, pattern
from docs.doc_shell import Cells, Shell
from servers import free_port

from plant_monitor.cli.app import command_line

ROLES = ("operator", "member", "officer", "admin")
TRIED = [page for page in PAGES if any(block.is_test for block in blocks(page))]
TRIED.sort(key=lambda page: any("stopped" in block.tags for block in blocks(page)))  # the demo is shared


@pytest.mark.parametrize("page", TRIED, ids=lambda page: page.stem)
def test_the_commands_of_a_page_do_what_it_says(page: Path, scratch: Path, request: pytest.FixtureRequest) -> None:
    tried = [block for block in blocks(page) if block.is_test]
    if any("curl " in block.text for block in tried) and shutil.which("curl") is None:
        pytest.skip("curl is not installed: apt-get install curl")
    demo: Demo | None = None
    values = {"GIT_CEILING_DIRECTORIES": str(scratch)}
    if any(block.tags or "demo-data" in block.text for block in tried):
        demo = request.getfixturevalue("demo")
        (scratch / "demo-data").symlink_to(demo.folder)
        values["API"] = f"http://127.0.0.1:{demo.port}/api/v1"
    typed = _typed(scratch)
    shell, cells = Shell(scratch, values), Cells(scratch, values)
    try:
        for block in tried:
            for tag in block.tags:
                assert demo is not None and tag in (*ROLES, "stopped"), f"{page.name}:{block.line}: {tag}?"
                if tag == "stopped":
                    demo.stop()
                else:
                    shell.run(f"KEY={demo.keys[tag]}")
                    cells.key = demo.keys[tag]
            good, said = cells.run(block.text) if block.is_python else shell.run(typed(block.text))
            where = f"{page.relative_to(ROOT)}:{block.line}"
            assert good, f"{where} failed:\n{block.text}\nit said:\n{said}"
            _compare(where, block, said.replace(f"{scratch}/tmp/", "/tmp/"))
    finally:
        shell.close()


def _typed(scratch: Path) -> Callable[[str], str]:
    """Commands as typed here: with folders and ports of their own."""
    ports = {"8010": str(free_port()), "15502": str(free_port())}
    for file in (scratch / "tests" / "e2e").rglob("*.yaml"):
        file.write_text(file.read_text(encoding="utf-8").replace("15502", ports["15502"]), encoding="utf-8")

    def typed(text: str) -> str:
        text = re.sub(r"\b(8010|15502)\b", lambda m: ports[m[1]], text)
        text = text.replace('$(date -d "$(date +%Y-%m-01) -1 day" +%F)', START[:10])  # as if typed in that November
        return text.replace("/tmp/", f"{scratch}/tmp/")

    return typed


def _compare(where: str, block: Block, said: str) -> None:
    if block.shown is not None and not pattern(block.shown, like=block.like).search(said):
        pytest.fail(f"{where} shows\n{block.shown}\nbut it said\n{said}", pytrace=False)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_command_and_option_exists(page: Path) -> None:
    for text in commands(page):
        words = text.split()
        command = typer.main.get_command(command_line(""))
        while words and hasattr(command, "commands"):
            name = words.pop(0)
            if "|" in name or name.startswith("-"):
                break
            assert name in command.commands, f"{page.name}: plant-monitor has no command {name!r}: {text}"
            command = command.commands[name]
        options = {option for parameter in command.params for option in parameter.opts} | {"--help"}
        for word in words:
            if word.startswith("--"):
                assert word.rstrip("],") in options, f"{page.name}: no option {word} in: plant-monitor {text}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_links_lead_somewhere(page: Path) -> None:
    for target in links(page):
        path, _, anchor = target.partition("#")
        file = page.parent / path
        assert file.exists(), f"{page.name} leads to {target}, which is not there"
        if anchor:
            heads = re.findall(r"^#+ (.+)$", file.read_text(encoding="utf-8"), re.MULTILINE)
            names = {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}
            assert anchor in names, f"{page.name}: {path} has no heading #{anchor}"


def test_every_page_is_in_the_index() -> None:
    index = {(ROOT / "docs" / target.partition("#")[0]).resolve() for target in links(ROOT / "docs" / "README.md")}
    decisions = (ROOT / "docs" / "decisions").glob("*.md")
    assert {page for page in PAGES[1:] if page.name != "README.md"} <= index
    assert set(decisions) <= index or (ROOT / "docs" / "decisions") in index


@pytest.mark.parametrize("page", ["operators", "members", "officers"])
def test_a_page_for_people_begins_in_chinese(page: str) -> None:
    head = (ROOT / "docs" / f"{page}.md").read_text(encoding="utf-8").split("\n## ")[0]
    assert len(re.findall(r"[\u4e00-\u9fff]", head)) >= 80


def test_a_page_that_is_wrong_is_found(tmp_path: Path) -> None:
    """The comparison can fail: a line that is missing, changed, in another order."""
    said = "a 12\nb 3.5 m3\nc\n"
    assert pattern("a 12\nb 3.5 m3\n", like=False).search(said)
    assert pattern("a 99\nb 1.0 m3\n", like=True).search(said)
    assert pattern("a …\n…\nc\n", like=False).search(said)
    for wrong in ("a 99\n", "a 12\nc\n", "b 3.5 m3\na 12\n", "a 1\n", "d\n"):
        assert not pattern(wrong, like=False).search(said), wrong
    shell = Shell(tmp_path, {})
    try:
        assert shell.run("A=1; echo yes") == (True, "yes\n")
        assert shell.run("echo $A; false; echo no") == (False, "1\n")
    finally:
        shell.close()
