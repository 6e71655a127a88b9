"""How things are called and written, in the language of who looks. Colour never stands alone: each sign has a shape."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from plant_monitor.alerts.messages import PARAMETERS, number
from plant_monitor.console.html import Html, h

_MORE_PARAMETERS = {"volume": ("累积流量", "total volume"), "mlss": ("混合液悬浮固体", "MLSS")}
_UNITS = {"m3/h": "m³/h", "m3": "m³", "m3/d": "m³/d", "uS/cm": "µS/cm", "degC": "°C", "1": ""}
_MARKS_ZH = dict(zip("NFMSDCTB", ("正常", "停运", "维护", "手工", "故障", "校准", "超量程", "通讯中断"), strict=True))
_MARKS_EN = dict(
    zip(
        "NFMSDCTB",
        ("normal", "stopped", "maintenance", "by hand", "fault", "calibration", "over range", "no contact"),
        strict=True,
    )
)
STATISTICS = {
    "daily_mean": ("日均值", "daily mean"),
    "hourly_mean": ("小时均值", "hourly mean"),
    "hourly_median": ("小时中位值", "hourly median"),
    "daily_load": ("日负荷", "daily load"),
    "monthly_mean": ("月均值", "monthly mean"),
}
# spans over which headroom is told
SPANS = {
    "last_hour": ("近一小时", "last hour"),
    "last_24_h": ("近 24 小时", "last 24 h"),
    "today": ("今日至今", "today so far"),
    "midnight": ("预计今日", "today by midnight"),
}
# verdict → shape, Chinese, English. The class of the sign carries the colour.
VERDICTS = {
    "met": ("✓", "达标", "met"),
    "exceeded": ("✕", "超标", "exceeded"),
    "insufficient_data": ("◐", "数据不足", "too few data"),
    "no_discharge": ("○", "未排放", "no discharge"),
    "no_limit": ("–", "无限值", "no limit"),
}
ROLES = {
    "operator": ("运行人员", "operator"),
    "member": ("成员企业", "member"),
    "officer": ("环保管理", "officer"),
    "admin": ("管理员", "administrator"),
    "supervisor": ("主管", "supervisor"),  # of people in plant.yaml alone
}


@dataclass(frozen=True, slots=True)
class Words:
    """One language, and the times of one plant. ``w(zh, en)`` is the one of the two."""

    language: str  # zh or en

    def __call__(self, zh: str, en: str) -> str:
        """The text in this language."""
        return zh if self.language == "zh" else en

    def of(self, pair: tuple[str, str]) -> str:
        """One of two."""
        return self(*pair)

    def name(self, name: Mapping[str, str] | None, otherwise: str = "") -> str:
        """A name of the API, of either language."""
        return otherwise if name is None else name[self.language]

    def parameter(self, key: str) -> str:
        """What a parameter is called."""
        if key in PARAMETERS:
            return self(PARAMETERS[key].zh, PARAMETERS[key].en)
        return self.of(_MORE_PARAMETERS.get(key, (key, key)))

    def mark(self, mark: str) -> str:
        """What a mark of HJ 212 means."""
        return self(_MARKS_ZH.get(mark, mark), _MARKS_EN.get(mark, mark))

    def statistic(self, key: str) -> str:
        """What a statistic is called."""
        return self.of(STATISTICS.get(key, (key, key)))

    def verdict(self, verdict: str) -> Html:
        """A verdict: shape, word and colour."""
        shape, zh, en = VERDICTS.get(verdict, ("?", verdict, verdict))
        return h("span", h("b", shape, aria_hidden="true"), " ", self(zh, en), class_=f"verdict {verdict}")

    def age(self, seconds: float | None) -> str:
        """How long ago."""
        if seconds is None:
            return self("从未", "never")
        for size, zh, en in ((86_400, "天前", "d ago"), (3_600, "小时前", "h ago"), (60, "分钟前", "min ago")):
            if seconds >= size:
                return f"{seconds / size:.0f} {self(zh, en)}"
        return f"{seconds:.0f} {self('秒前', 's ago')}"


def unit(key: str | None) -> str:
    """A unit as people write it."""
    return _UNITS.get(key or "", key or "")


def amount(value: float | None, of: str | None = None, other: float | None = None) -> str:
    """A number with its unit; a dash where it is unknown. With more digits where ``other`` would look the same."""
    if value is None:
        return "—"
    text = number(value, other)
    if "e" not in text and abs(value) >= 10_000:
        text = f"{value:,.0f}"
    return f"{text} {unit(of)}".rstrip()


def share(value: float | None) -> str:
    """A part of a whole in percent."""
    return "—" if value is None else f"{value * 100:.0f} %"


def bounds(row: Mapping[str, Any], of: str | None = None) -> str:
    """The limits of a row: ≤ upper, ≥ lower, or from … to."""
    lower, upper = row["lower"], row["upper"]
    if lower is None and upper is None:
        return ""
    if lower is None:
        return f"≤ {amount(upper, of)}"
    return f"≥ {amount(lower, of)}" if upper is None else f"{amount(lower)} – {amount(upper, of)}"


def minute(time: str | None) -> str:
    """A time of the API to the minute, as local people say it."""
    return "" if time is None else datetime.fromisoformat(time).strftime("%Y-%m-%d %H:%M")
