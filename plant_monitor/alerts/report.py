"""The month of alerts as a page to read, in Chinese and English. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields

from plant_monitor.alerts.analysis import Row
from plant_monitor.plant import Name, Plant

COLUMNS = tuple(f.name for f in fields(Row))

_HEADS = (
    Name("成员", "Member"),
    Name("类别", "Kind"),
    Name("告警", "Alerts"),
    Name("超标天数", "Days over"),
    Name("超标小时", "Hours over"),
    Name("最大倍数", "Worst ratio"),
    Name("确认(小时)", "Noticed (h)"),
    Name("答复(小时)", "Answered (h)"),
    Name("办结(小时)", "Closed (h)"),
    Name("逾期", "Overdue"),
    Name("退回", "Sent back"),
    Name("满意", "Satisfied"),
    Name("未办结", "Open"),
    Name("重复", "Repeated"),
    Name("前几月均", "Before"),
    Name("趋势", "Tendency"),
)
_TENDENCY = {
    "none": Name("无", "none"),
    "rising": Name("上升", "rising"),
    "falling": Name("下降", "falling"),
}


def report_lines(rows: Sequence[Row], plant: Plant) -> list[str]:
    """Markdown: a table in each language, and what the words mean."""
    month = rows[0].month if rows else ""
    lines = [f"# {plant.name.zh} {month} 告警月报 · {plant.name.en}, alerts of {month}", ""]
    for zh in (True, False):
        lines += [f"| {' | '.join(h.zh if zh else h.en for h in _HEADS)} |", "|---" * len(_HEADS) + "|"]
        lines += [f"| {' | '.join(_cells(row, plant, zh=zh))} |" for row in rows]
        lines += ["", *(_NOTES_ZH if zh else _NOTES_EN), ""]
    return lines


_NOTES_ZH = (
    "时间为自告警产生起的中位数。重复：同一监测点、因子、限值在本月再次告警，或此前几个月也曾告警。",
    "趋势：与此前几个月相比，仅在偶然性难以解释时给出（两泊松率的精确条件检验，Holm 校正，5%）。空白为未知。",
)
_NOTES_EN = (
    "Times are medians since the alert opened. Repeated: the same point, parameter and limit again within the month,",
    "or in the months before too. A tendency is told only where chance is a poor explanation (exact conditional test",
    "of two Poisson rates, Holm, 5 %). Empty is unknown.",
)


def _cells(row: Row, plant: Plant, *, zh: bool) -> list[str]:
    member = plant.member_by_id.get(row.owner)
    name = member.name if member is not None else Name("污水处理厂", "the plant")
    tendency = _TENDENCY[row.tendency]
    numbers = (row.acknowledged_hours, row.answered_hours, row.closed_hours)
    return [
        name.zh if zh else name.en,
        row.kind,
        str(row.opened),
        str(row.days_exceeded),
        str(row.hours_exceeded),
        "" if row.worst_ratio is None else f"{row.worst_ratio:.2f}",
        *("" if hours is None else f"{hours:.1f}" for hours in numbers),
        *map(str, (row.overdue, row.sent_back, row.satisfied, row.unclosed, row.repeated)),
        "" if row.earlier_mean is None else f"{row.earlier_mean:.1f}",
        tendency.zh if zh else tendency.en,
    ]
