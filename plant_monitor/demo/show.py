"""What the demo shows: one screen of the running plant, refreshed as it goes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from plant_monitor.allocation.exact import m3_text, yuan_text
from plant_monitor.allocation.statement import Statement
from plant_monitor.plant import FLOW, PH, Role
from plant_monitor.readings import NORMAL, FloatArray, MarkArray, mark_text
from plant_monitor.service import Service
from plant_monitor.windows import HOUR_MS, rfc3339

STYLES = {"met": "green", "exceeded": "bold red", "insufficient_data": "yellow", "no_discharge": "dim"}
COLUMNS = (FLOW, PH, "conductivity", "cod_cr", "ammonia_n", "total_p", "ss", "dissolved_oxygen")


@dataclass
class Screen:
    """The state that is not the service's own: notes on what goes on, alerts told, the last bill."""

    service: Service
    history: str = ""
    told: list[str] = field(default_factory=list)
    statement: Statement | None = None
    where: Sequence[str] = ()

    def render(self) -> Group:
        """The whole screen."""
        where = Text("\n".join(self.where), style="dim")  # above the tables: a short terminal cuts what is below
        parts: list[RenderableType] = [self._head(), where, self._field(), self._verdicts(), self._alerts()]
        if self.statement is not None:
            parts.append(self._bill(self.statement))
        return Group(*parts)

    def _head(self) -> Text:
        plant, now = self.service.plant, self.service.clock.now_ms()
        head = Text.assemble(
            (plant.name.zh, "bold"),
            f" {plant.name.en} · {rfc3339(now // 1000 * 1000, plant.zone)} (simulated) · ",
            (self.service.health()["status"], "bold"),
        )
        if self.history:
            head.append(f"\n{self.history}", style="dim")
        return head

    def _field(self) -> Table:
        """The last value of every series, as fresh as it is."""
        plant, journal, now = self.service.plant, self.service.journal, self.service.clock.now_ms()
        table = Table(title="现场 Field", title_justify="left", expand=False)
        table.add_column("point")
        shown = [c for c in COLUMNS if any(p.find(c) for p in plant.points)]
        for parameter in shown:
            unit = next(s.unit for s in plant.series if s.parameter == parameter)
            table.add_column(f"{parameter}\n{'' if unit == '1' else unit}", justify="right")
        for point in plant.points:
            cells: list[Text] = []
            for parameter in shown:
                series = point.find(parameter)
                if series is None:
                    cells.append(Text(""))
                    continue
                last = journal.before(plant.series_index[point.id, parameter], now + HOUR_MS)
                stale = len(last) > 0 and now - int(last.time[0]) > 3 * (series.interval_ms or HOUR_MS)
                cells.append(_cell(last.value, last.mark, stale))
            table.add_row(point.name.zh if point.name else point.id, *cells)
        return table

    def _verdicts(self) -> Table:
        """Headroom and the daily verdicts against limits, of the last two days."""
        table = Table(title="判定 Daily verdicts", title_justify="left")
        for name in ("date", "point", "parameter", "value", "limit", "valid", "verdict"):
            table.add_column(name, justify="right" if name in ("value", "limit", "valid") else "left")
        evaluation = self.service.watch.latest
        if evaluation is None:
            return table
        plant = self.service.plant
        effluent = {p.id for p in plant.points if p.role is Role.EFFLUENT}
        days = {day.isoformat() for day in evaluation.windows.days[-2:]}
        for row in evaluation.daily.rows():
            wanted = row["point"] in effluent or row["verdict"] == "exceeded"
            if not wanted or row["verdict"] == "no_limit" or row["date"] not in days:
                continue
            bounds = " … ".join(f"{row[b]:g}" for b in ("lower", "upper") if row[b] is not None)
            table.add_row(
                row["date"],
                row["point"],
                f"{row['parameter']} {row['statistic'].replace('_', ' ')}",
                _number(row["value"]),
                bounds,
                "" if row["valid_share"] is None else f"{row['valid_share']:.0%}",
                Text(row["verdict"], style=STYLES.get(row["verdict"], "")),
            )
        told_days = []
        for row in list(evaluation.headroom.rows())[-2:]:
            room = row["headroom_m3"]
            inflow, peak = _number(row["inflow_m3"]), _number(row["peak_m3_h"])
            left = "not enough data yet" if room is None else f"{room:.0f} m³ left"
            told = f"inflow {inflow} of {row['capacity_m3']:g} m³, peak {peak} m³/h, {left}"
            told_days.append(f"余量 Headroom {row['date']}: {told}")
        table.caption, table.caption_justify = "\n".join(told_days), "left"
        return table

    def _alerts(self) -> Panel:
        warnings = [title for title in self.told if "WARNING" in title]
        exceedances = [title for title in self.told if "WARNING" not in title]
        lines = [*exceedances[-4:], *warnings[-4:]] or ["none yet"]
        return Panel("\n".join(lines), title="报警 Alerts sent", title_align="left")

    def _bill(self, statement: Statement) -> Table:
        """Items down, members across; every row and column sums to the fen."""
        members = statement.plant.members
        table = Table(title=f"结算 Bill of {statement.period.label} (draft), yuan", title_justify="left")
        table.add_column("")
        for member in members:
            table.add_column(member.name.en.split()[0], justify="right")
        table.add_column("合计 total", justify="right")
        volumes = [m3_text(statement.billed_litres[m.id]) for m in members]
        table.add_row("m³", *volumes, m3_text(sum(statement.billed_litres.values())), end_section=True)
        for item in statement.items:
            amounts = [yuan_text(item.amounts_fen[m.id]) for m in members]
            table.add_row(item.item, *amounts, yuan_text(item.total_fen))
        table.add_section()
        totals = [yuan_text(statement.member_total_fen(m.id)) for m in members]
        table.add_row("合计 total", *totals, yuan_text(statement.total_fen), style="bold")
        return table


def _cell(value: FloatArray, mark: MarkArray, stale: bool) -> Text:
    if value.size == 0:
        return Text("—", style="dim")
    text = _number(None if np.isnan(value[0]) else float(value[0]))
    if mark[0] != NORMAL:
        return Text(f"{text} {mark_text(int(mark[0]))}", style="yellow")
    return Text(text, style="dim" if stale else "")


def _number(value: float | None) -> str:
    if value is None:
        return "—"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"
