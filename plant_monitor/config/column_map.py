"""MAP.yaml: what the columns of a foreign CSV mean (``import --map``).

The keys are explained in docs/configuration.md; every mistake is reported at once, with line and key.
"""

from __future__ import annotations

import codecs
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BeforeValidator, Field, TypeAdapter, WithJsonSchema

from plant_monitor import units
from plant_monitor.config.local_times import Instant, instant_of
from plant_monitor.config.scalars import Cell, Cells, Flag, Id, NotZero, Number, Plain, Unit, expected, integer
from plant_monitor.config.section import Section
from plant_monitor.config.shape import Loc, fitted, place
from plant_monitor.config.yaml_tree import Node, Problems, Text, described, read_tree
from plant_monitor.errors import ConfigError, Problem
from plant_monitor.plant import Plant
from plant_monitor.readings import NORMAL, mark_code

Column = str | int  # name, or position from 1


def _column(value: Any) -> Column:
    if isinstance(value, Text) and value.plain and value.isascii() and value.isdecimal():
        if int(value) > 0:
            return int(value)
    elif isinstance(value, Text) and value.strip():
        return str(value).strip()
    raise expected("the name of a column, or its position from 1")


def _one_character(value: Any) -> str:
    if isinstance(value, Text) and len(value) == 1 and value not in '"\n\r':
        return str(value)
    raise expected('one character (a tab is "\\t")')


ColumnRef = Annotated[
    str | int, BeforeValidator(_column), WithJsonSchema({"type": ["string", "integer"], "minimum": 1})
]
Character = Annotated[str, BeforeValidator(_one_character), WithJsonSchema({"type": "string", "maxLength": 1})]
Lines = Annotated[int, integer(0, 1_000_000), WithJsonSchema({"type": "integer", "minimum": 0})]


class TimeSection(Section):
    """Where the time of a row stands."""

    column: ColumnRef | None = Field(None, description="column of the time")
    columns: list[ColumnRef] = Field([], description="several columns, joined by a blank (date and time)")
    format: Plain = Field("iso", description="iso, epoch_s, epoch_ms, or a format of Python's strptime")
    zone: Plain | None = Field(None, description="IANA zone of times that carry no offset")
    ambiguous: Literal["refuse", "first", "second"] = Field(
        "refuse", description="a local time that the clock passes twice: refuse the row, or take the first or second"
    )


class MarkSection(Section):
    """Where the mark of a row stands."""

    column: ColumnRef = Field(description="column of the mark")
    codes: dict[Cell, Cell] = Field({}, description="foreign mark -> N, F, M, S, D, C, T or B")
    other: Cell | None = Field(None, description="mark of the texts that codes does not list; omitted: the text itself")


class ValueSection(Section):
    """One column of values."""

    column: ColumnRef = Field(description="column of the values")
    point: Id = Field(description="point of the series")
    parameter: Id = Field(description="parameter of the series")
    unit: Unit | None = Field(None, description="unit in the file, after scale and offset; omitted: that of the series")
    scale: NotZero = Field(Decimal(1), description="value in unit = number · scale + offset")
    offset: Number = Field(Decimal(0), description="value in unit = number · scale + offset")
    missing: Cells = Field(
        [], description="texts and numbers that mean no value in this column, besides those of the file"
    )
    where: dict[ColumnRef, Cells] = Field({}, description="only rows whose column has this text (or one of these)")


class MapFile(Section):
    """MAP.yaml."""

    encoding: Plain = Field("utf-8", description="encoding of the file, as utf-8 or gb18030")
    delimiter: Character = Field(",", description="what divides the fields")
    skip_lines: Lines = Field(0, description="lines before the header")
    header: Flag = Field(True, description="false: there is no header, columns are named by position")
    decimal: Literal[".", ","] = Field(".", description="decimal sign")
    thousands: Character | None = Field(None, description="what divides thousands, as in 10,795")
    missing: Cells = Field([], description="texts and numbers that mean no value, besides the empty field")
    time: TimeSection = Field(description="the time of a row")
    mark: MarkSection | Cell = Field("N", description="the mark of all rows, or the column it stands in")
    values: list[ValueSection] = Field(min_length=1, description="the columns of values")


@dataclass(frozen=True, slots=True)
class ValueColumn:
    """One column of values, ready to be read. value = number · factor + shift, in the unit of the series."""

    column: Column
    series: int
    factor: float
    shift: float
    where: tuple[tuple[Column, frozenset[str]], ...]
    missing: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class MarkColumn:
    """Where marks come from: a constant, or a column."""

    column: Column | None
    constant: int
    codes: dict[str, int]
    other: int | None


@dataclass(frozen=True, slots=True)
class ColumnMap:
    """A map, ready to be used."""

    layout: MapFile
    time_columns: tuple[Column, ...]
    instant: Instant
    mark: MarkColumn
    values: tuple[ValueColumn, ...]


def load_map(path: Path, plant: Plant) -> ColumnMap:
    """The map of a foreign CSV.

    Raises
    ------
    ConfigError  the map cannot be read, or is wrong: *all* of its problems
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        found = error.strerror if isinstance(error, OSError) else "bytes that are not UTF-8"
        raise ConfigError([Problem(str(path), "", str(found), "a readable YAML file")]) from None
    problems = Problems(str(path))
    root = read_tree(text, problems)
    if root is not None and not isinstance(root.value, dict):
        problems.add(root.line, "", described(root.value), "a mapping with the keys time, values, …")
    elif root is not None and (fit := fitted(TypeAdapter(MapFile), root, problems, {})) is not None:
        check = _Check(plant, fit[0], fit[1], problems)
        made = check.column_map()
        if not len(problems):
            return made
    raise ConfigError(problems.sorted())


class _Check:
    """Looks at a map beside the plant it is for."""

    def __init__(self, plant: Plant, layout: MapFile, root: Node, problems: Problems) -> None:
        self.plant, self.layout, self.root, self.problems = plant, layout, root, problems
        self.shape_paths = problems.paths()

    def report(self, loc: Loc, found: str, expected: str) -> None:
        """Note a mistake."""
        line, path = place(self.root, loc)
        if path not in self.shape_paths:
            self.problems.add(line, path, found, expected)

    def column_map(self) -> ColumnMap:
        """The map; whether it is right stands in the problems."""
        self._file()
        values = [self._value(i, v) for i, v in enumerate(self.layout.values)]
        mark = self._mark()
        columns: list[tuple[Loc, Column]] = [(("values", i, "column"), v.column) for i, v in enumerate(values)]
        columns += [(("values", i, "where"), c) for i, v in enumerate(values) for c, _ in v.where]
        columns += [(("mark", "column"), mark.column)] if mark.column is not None else []
        time_columns, instant = self._time()
        columns += [(("time",), c) for c in time_columns]
        for loc, column in columns:
            if isinstance(column, str) and not self.layout.header:
                self.report(loc, repr(column), "the position of a column, since there is no header")
        return ColumnMap(self.layout, time_columns, instant, mark, tuple(values))

    def _file(self) -> None:
        try:
            codecs.lookup(self.layout.encoding)
            usable = "\n,".encode(self.layout.encoding) == b"\n,"
        except (LookupError, UnicodeError):
            usable = False
        if not usable:
            self.report(("encoding",), repr(self.layout.encoding), "an encoding that holds ASCII, as utf-8 or gb18030")
        if self.layout.thousands == self.layout.decimal:
            self.report(("thousands",), repr(self.layout.thousands), "another sign than decimal")

    def _time(self) -> tuple[tuple[Column, ...], Instant]:
        time = self.layout.time
        columns = tuple(time.columns) if time.column is None else (time.column, *time.columns)
        if (time.column is None) == (not time.columns):
            found = "nothing" if time.column is None else "column and columns"
            self.report(("time", "column"), found, "the column of the time, or columns: several of them")
        zone = None
        try:
            zone = None if time.zone is None else ZoneInfo(time.zone)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            self.report(("time", "zone"), repr(time.zone), "a zone of the IANA database, as America/Chicago")
        own = time.format in ("iso", "epoch_s", "epoch_ms")
        if not own and "%" not in time.format:
            self.report(("time", "format"), repr(time.format), "iso, epoch_s, epoch_ms, or a strptime format")
        elif not own and time.zone is None and "%z" not in time.format:
            self.report(("time", "zone"), "nothing", "the zone of the times, which carry no offset")
        return columns, instant_of(time.format, zone, time.ambiguous)

    def _mark(self) -> MarkColumn:
        mark = self.layout.mark
        if isinstance(mark, str):
            return MarkColumn(None, mark_code(mark), {}, None)
        codes = {text: mark_code(code) for text, code in mark.codes.items()}
        return MarkColumn(mark.column, NORMAL, codes, None if mark.other is None else mark_code(mark.other))

    def _value(self, i: int, value: ValueSection) -> ValueColumn:
        loc: Loc = ("values", i)
        series = self.plant.series_index.get((value.point, value.parameter))
        factor, shift = Fraction(value.scale), Fraction(value.offset)
        if value.point not in self.plant.point_by_id:
            points = ", ".join(self.plant.point_by_id)
            self.report((*loc, "point"), repr(value.point), f"a point of the plant ({points})")
        elif series is None:
            found = f"{value.parameter!r}, which {value.point} does not declare"
            known = ", ".join(s.parameter for s in self.plant.point_by_id[value.point].series)
            self.report((*loc, "parameter"), found, f"one of its parameters ({known})")
        elif value.unit is not None:
            target = self.plant.series[series].unit
            if units.convertible(value.unit, target):
                ratio = units.ratio(value.unit, target)
                factor, shift = factor * ratio, shift * ratio
            else:
                self.report((*loc, "unit"), repr(value.unit), f"a unit that can be converted to {target}")
        twin = next((j for j, v in enumerate(self.layout.values[:i]) if _same(v, value)), None)
        if twin is not None:
            self.report(loc, f"{value.point}/{value.parameter} a second time", f"it once (values[{twin}] has it)")
        where = tuple((column, frozenset(texts)) for column, texts in value.where.items())
        index = -1 if series is None else series
        return ValueColumn(value.column, index, float(factor), float(shift), where, tuple(value.missing))


def _same(a: ValueSection, b: ValueSection) -> bool:
    return (a.point, a.parameter, a.where) == (b.point, b.parameter, b.where)
