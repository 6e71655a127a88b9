"""README and docs as their readers take them: fenced blocks, links, the commands that stand in them.

A block of shell that begins with ```` ```sh test ```` is run by ``test_pages.py``, in the order of the page, in one
shell. What may follow ``test``:

* ``operator``, ``member``, ``officer``: ``$KEY`` is the demo's key of that role, ``$API`` its address;
* ``stopped``: the demo has ended.

A block that begins with ```` ```python test ```` is a cell: the cells of a page share their names, and ``API`` and
``KEY`` are in ``os.environ``. A block of ```` ```text ```` right after either is what the reader sees: every line,
in this order and none left out, must be in the output. ``…`` stands for anything, alone on a line for any lines. After
```` ```text like ```` numbers and gaps may be others: what is measured while the page is read, or depends on how long
the demo has run.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))

_FENCE = re.compile(r"^```(?P<info>[^\n]*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
# What may be otherwise under ``like``, and what it may be instead: a register's word, a number, a gap, a rule.
_VARIES = (
    (r"\b[0-9a-f]{4}\b", r"(?:[0-9a-f]{4}|-?\d+(?:\.\d+)?)"),
    (r"-?\d+(?:\.\d+)?(?:e[+-]?\d+)?", r"-?\d+(?:\.\d+)?(?:e[+-]?\d+)?"),
    (r" +", " +"),
    (r"[━─]+", "[━─]+"),
)
_TOKEN = re.compile("|".join(f"(?P<v{i}>{found})" for i, (found, _) in enumerate(_VARIES)) + "|(?P<any>…)|(?P<other>.)")


@dataclass(frozen=True)
class Block:
    """A fenced block; ``shown`` is the output that the page shows below it, if any."""

    line: int
    info: tuple[str, ...]
    text: str
    shown: str | None = None
    like: bool = False

    @property
    def is_test(self) -> bool:
        return self.info[:2] in (("sh", "test"), ("python", "test"))

    @property
    def is_python(self) -> bool:
        return self.info[:1] == ("python",)

    @property
    def tags(self) -> tuple[str, ...]:
        return self.info[2:]


def blocks(page: Path) -> list[Block]:
    """The blocks of a page, each block of shell with the output shown right after it."""
    text = page.read_text(encoding="utf-8")
    found = list(_FENCE.finditer(text))
    made = []
    for i, match in enumerate(found):
        info = tuple(match["info"].split())
        shown, like = None, False
        if i + 1 < len(found) and found[i + 1]["info"].startswith("text"):
            between = text[match.end() : found[i + 1].start()]
            if not between.strip():
                shown, like = found[i + 1]["text"], found[i + 1]["info"].split()[1:] == ["like"]
        line = text.count("\n", 0, match.start()) + 1
        made.append(Block(line, info, match["text"], shown, like))
    return made


def pattern(shown: str, *, like: bool) -> re.Pattern[str]:
    """What the output must look like for the page to be true."""
    lines = []
    for line in shown.rstrip("\n").split("\n"):
        if line.strip() == "…":
            lines.append("(?:.*\n)*?")
        else:
            lines.append("".join(_token(match, like) for match in _TOKEN.finditer(line.rstrip())) + " *\n")
    return re.compile("^" + "".join(lines), re.MULTILINE)


def _token(match: re.Match[str], like: bool) -> str:
    kind = match.lastgroup or ""
    if kind == "any":
        return ".*?"
    return _VARIES[int(kind[1:])][1] if like and kind.startswith("v") else re.escape(match[0])


def links(page: Path) -> Iterator[str]:
    """Where a page leads inside the checkout."""
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        if "://" not in target and not target.startswith("#"):
            yield target


def commands(page: Path) -> Iterator[str]:
    """Every ``plant-monitor …`` in the page's shell blocks and unit files, long lines put together."""
    for block in blocks(page):
        if block.info[:1] in (("sh",), ("ini",)):
            text = re.sub(r"\\\n\s*", " ", block.text)
            yield from re.findall(r"(?:^|[\s/(=])plant-monitor (?!plant-monitor )([^\n;|&#>)]*)", text)
