"""What the dashboards share: units, colours, a board, a panel of values against their limits."""

from __future__ import annotations

import json
from typing import Any

from grafana_foundation_sdk.builders import common, dashboard, timeseries
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.common import LegendDisplayMode, LegendPlacement, VisibilityMode
from grafana_foundation_sdk.models.dashboard import (
    DashboardCursorSync,
    DashboardLinkType,
    DynamicConfigValue,
    ValueMap,
    ValueMappingResult,
    VariableOption,
)

from grafana.influxql import RESULTS, InfluxQL, any_of, quoted
from plant_monitor.plant import FLOW, VOLUME, Limit, LimitSet, Plant, Point

# Grafana's own unit where it has one, else the text behind the number.
UNITS = {"m3/h": "suffix: m³/h", "mg/L": "suffix: mg/L", "m3": "m3", "1": "none", "kg": "suffix: kg"}
EARLY_SHARE = 0.8  # of an upper limit: where the early-warning band begins. A choice for the eye, no rule
NO_DATA = "无数据 no data"
TAG = "plant-monitor"

Mapping = list[dict[str, Any]]


def unit(name: str) -> str:
    """Grafana's name of a unit of plant.yaml."""
    return UNITS.get(name, f"suffix: {name}")


def mapping(texts: dict[str, tuple[str, str]]) -> ValueMap:
    """Words as people read them, and their colours: each is also told by its text."""
    return ValueMap(
        options={
            word: ValueMappingResult(text=text, color=colour, index=i)
            for i, (word, (text, colour)) in enumerate(texts.items())
        }
    )


VERDICTS = mapping(
    {
        "met": ("达标 met", "green"),
        "exceeded": ("超标 exceeded", "red"),
        "insufficient_data": ("数据不足 insufficient data", "yellow"),
        "no_discharge": ("无排放 no discharge", "text"),
        "no_limit": ("无限值 no limit", "text"),
    }
)
COLOURED = DynamicConfigValue("custom.cellOptions", {"type": "color-background", "mode": "basic"})
DASHED = DynamicConfigValue("custom.lineStyle", {"fill": "dash", "dash": [8, 6]})
PERCENT = DynamicConfigValue("unit", "percentunit")


def mapped(values: ValueMap) -> list[DynamicConfigValue]:
    """Overrides that show a column's words by a mapping, coloured."""
    return [DynamicConfigValue("mappings", [values.to_json()]), COLOURED]


def board(plant: Plant, key: str, title: str, console: str, *, since: str = "now-24h") -> dashboard.Dashboard:
    """An empty dashboard of the plant, with links to the others, the console and the documentation of the API."""
    others = dashboard.DashboardLink("其他面板 Dashboards").type(DashboardLinkType.DASHBOARDS).tags([TAG])
    return (
        dashboard.Dashboard(f"{plant.name.zh} · {title}")
        .uid(f"{plant.id}-{key}")
        .tags([TAG])
        .timezone(plant.zone.key)
        .refresh("30s")
        .time(since, "now")
        .tooltip(DashboardCursorSync.CROSSHAIR)
        .readonly()
        .link(others.as_dropdown(True).keep_time(True))
        .link(_link("控制台 Console", f"{console}/"))
        .link(_link("接口文档 API", f"{console}/docs"))
    )


def _link(title: str, url: str) -> dashboard.DashboardLink:
    return dashboard.DashboardLink(title).type(DashboardLinkType.LINK).url(url).target_blank(True)


def text_of(made: dashboard.Dashboard) -> str:
    """The dashboard as JSON text, the same each time."""
    model = json.loads(json.dumps(made.build(), cls=JSONEncoder))
    for number, panel in enumerate(model["panels"], start=1):
        panel["id"] = number  # the builders leave ids to Grafana, which then differ at each load
    return json.dumps(model, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def of_plant(plant: Plant, *more: str) -> str:
    """The WHERE of a query: this plant, the range that is looked at, and ``more``."""
    return " AND ".join([f'"plant" = {quoted(plant.id)}', *more, "$timeFilter"])


def names(plant: Plant) -> dict[str, str]:
    """Both names of each point, or its id."""
    return {p.id: p.id if p.name is None else f"{p.name.zh} {p.name.en}" for p in plant.points}


def point_variable(plant: Plant, points: list[Point]) -> dashboard.CustomVariable:
    """Which point is looked at."""
    label = names(plant)
    options = [VariableOption(text=label[p.id], value=p.id, selected=i == 0) for i, p in enumerate(points)]
    return (
        dashboard.CustomVariable("point")
        .label("监测点 Point")
        .values(", ".join(f"{label[p.id].replace(',', ' ')} : {p.id}" for p in points))
        .options(options)
        .current(options[0])
    )


def legend() -> common.VizLegendOptions:
    """A table below the panel, with the last value and the largest."""
    return (
        common.VizLegendOptions()
        .show_legend(True)
        .display_mode(LegendDisplayMode.TABLE)
        .placement(LegendPlacement.BOTTOM)
        .calcs(["lastNotNull", "max"])
    )


def limits_on(plant: Plant, points: list[Point], parameter: str) -> list[tuple[LimitSet, Limit]]:
    """The limits of a parameter at any of the points."""
    sets = {set_id for point in points for set_id in point.limits}
    return [(s, x) for s in plant.limit_sets if s.id in sets for x in s.limits if x.parameter == parameter]


def judged_parameters(points: list[Point]) -> list[str]:
    """What the points measure that has means, in the order of plant.yaml."""
    found = dict.fromkeys(s.parameter for p in points for s in p.series)
    return [parameter for parameter in found if parameter not in (FLOW, VOLUME)]


def against_limits(plant: Plant, points: list[Point], parameter: str, where_point: str) -> timeseries.Panel:
    """Hourly values of a parameter at one of the points, the limits in force, and the band below an upper one."""
    where = of_plant(plant, where_point, f'"parameter" = {quoted(parameter)}')
    series = next(s for p in points for s in p.series if s.parameter == parameter)
    limits = limits_on(plant, points, parameter)
    units = {limit.unit or series.unit for _, limit in limits} or {series.unit}
    panel = (
        timeseries.Panel()
        .title(parameter)
        .description(
            "小时值、限值（虚线）与预警带（上限的 80 % 以上）。Hourly values, the limits in force (dashed), and the "
            "early-warning band (from 80 % of an upper limit)."
            if limits
            else "小时值，没有限值。Hourly values; there is no limit."
        )
        .datasource(RESULTS)
        .with_target(
            InfluxQL(RESULTS, f'SELECT "mean" FROM "hourly" WHERE {where} GROUP BY "limit_set"', alias="$tag_limit_set")
        )
        .unit(unit(units.pop()) if len(units) == 1 else "none")
        .no_value(NO_DATA)
        .show_points(VisibilityMode.AUTO)
        .legend(legend())
        .span(8)
        .height(8)
    )
    if not limits:
        return panel
    bounds = f'SELECT "upper", "lower" FROM "hourly" WHERE {where} GROUP BY "limit_set"'
    panel = panel.with_target(InfluxQL(RESULTS, bounds, ref="B", alias="$tag_limit_set $col"))
    panel = panel.override_by_regexp("/ (upper|lower)$/", [DASHED])
    one_sided = sorted({s.id for s, x in limits if x.lower is None and x.upper is not None})
    if not one_sided:
        return panel
    early = (
        f'SELECT "upper" * {EARLY_SHARE} AS "early" FROM "hourly" WHERE {where} AND {any_of("limit_set", one_sided)}'
    )
    panel = panel.with_target(
        InfluxQL(RESULTS, f'{early} GROUP BY "limit_set"', ref="C", alias="$tag_limit_set early warning")
    ).override_by_regexp("/ early warning$/", [DynamicConfigValue("custom.lineWidth", 0)])
    for set_id in one_sided:
        band = [
            DynamicConfigValue("custom.fillBelowTo", f"{set_id} early warning"),
            DynamicConfigValue("custom.fillOpacity", 12),
        ]
        panel = panel.override_by_name(f"{set_id} upper", band)
    return panel
