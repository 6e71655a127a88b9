"""The plant overview: what an operator looks at first."""

from __future__ import annotations

import json

from grafana_foundation_sdk.builders import common, dashboard, gauge, stat, table, timeseries
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.common import GraphDrawStyle, LegendDisplayMode, LegendPlacement, VisibilityMode
from grafana_foundation_sdk.models.dashboard import (
    DashboardCursorSync,
    DynamicConfigValue,
    Threshold,
    ThresholdsMode,
    ValueMap,
    ValueMappingResult,
)

from grafana.influxql import READINGS, RESULTS, InfluxQL, any_of, quoted
from plant_monitor.plant import FLOW, VOLUME, Plant, Series

# Grafana's own unit where it has one, else the text behind the number.
UNITS = {"m3/h": "suffix: m³/h", "mg/L": "suffix: mg/L", "m3": "m3", "1": "none"}
VERDICT_COLOURS = {
    "met": ("达标 met", "green"),
    "exceeded": ("超标 exceeded", "red"),
    "insufficient_data": ("数据不足 insufficient data", "yellow"),
    "no_discharge": ("无排放 no discharge", "text"),
    "no_limit": ("无限值 no limit", "text"),
}


def plant_overview(plant: Plant) -> str:
    """The dashboard as JSON text: outfall flows, headroom, effluent against its limits, verdicts."""
    board = (
        dashboard.Dashboard(f"{plant.name.zh} · {plant.name.en}")
        .uid(f"{plant.id}-overview")
        .tags(["plant-monitor"])
        .timezone(plant.zone.key)
        .refresh("30s")
        .time("now-24h", "now")
        .tooltip(DashboardCursorSync.CROSSHAIR)
        .readonly()
        .with_row(dashboard.Row("水量 Flow and headroom"))
        .with_panel(_outfall_flows(plant))
        .with_panel(_headroom_gauge(plant))
        .with_panel(_inflow_stat(plant))
        .with_panel(_daily_inflow(plant))
    )
    effluent = [s for s in _effluent_series(plant) if s.parameter != FLOW]
    if effluent:
        board = board.with_row(dashboard.Row("出水 Effluent against its limits"))
    for series in effluent:
        board = board.with_panel(_against_limits(plant, series))
    board = board.with_row(dashboard.Row("判定 Verdicts")).with_panel(_verdicts(plant))
    model = json.loads(json.dumps(board.build(), cls=JSONEncoder))
    for number, panel in enumerate(model["panels"], start=1):
        panel["id"] = number  # the builders leave ids to Grafana, which then differ at each load
    return json.dumps(model, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def _effluent_series(plant: Plant) -> list[Series]:
    point = plant.point_by_id.get(plant.effluent or "")
    return [s for s in point.series if s.parameter != VOLUME] if point else []


def _legend() -> common.VizLegendOptions:
    return (
        common.VizLegendOptions()
        .show_legend(True)
        .display_mode(LegendDisplayMode.TABLE)
        .placement(LegendPlacement.BOTTOM)
        .calcs(["lastNotNull", "max"])
    )


def _outfall_flows(plant: Plant) -> timeseries.Panel:
    where = f'"plant" = {quoted(plant.id)} AND "parameter" = {quoted(FLOW)} AND "mark" = \'N\''
    points = any_of("point", [p.id for p in plant.outfalls if p.find(FLOW)])
    query = (
        f'SELECT mean("value") FROM "readings" WHERE {where} AND {points} AND $timeFilter '
        'GROUP BY time($__interval), "point" fill(null)'
    )
    return (
        timeseries.Panel()
        .title("排放口流量 Outfall flows")
        .description("有效读数的平均值（标记 N）。Means of the valid readings (mark N).")
        .datasource(READINGS)
        .with_target(InfluxQL(READINGS, query, alias="$tag_point"))
        .unit(UNITS["m3/h"])
        .min(0)
        .show_points(VisibilityMode.NEVER)
        .legend(_legend())
        .span(14)
        .height(9)
    )


def _headroom_query(plant: Plant, field: str) -> str:
    return f'SELECT last("{field}") FROM "headroom" WHERE "plant" = {quoted(plant.id)} AND $timeFilter'


def _headroom_gauge(plant: Plant) -> gauge.Panel:
    capacity = float(plant.capacity_m3_d)
    steps = [Threshold(None, "red"), Threshold(capacity * 0.1, "yellow"), Threshold(capacity * 0.25, "green")]
    return (
        gauge.Panel()
        .title(f"余量 Headroom to {capacity:g} m³/d")
        .description(
            "处理能力减日进水量，最近一个有效率不低于 75 % 的日。"
            "Capacity minus the day's inflow, of the latest day that is at least 75 % valid."
        )
        .datasource(RESULTS)
        .time_from("3d")
        .with_target(InfluxQL(RESULTS, _headroom_query(plant, "headroom_m3"), alias="headroom"))
        .unit(UNITS["m3"])
        .min(0)
        .max(capacity)
        .thresholds(dashboard.ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(steps))
        .no_value("数据不足 insufficient data")
        .span(5)
        .height(9)
    )


def _inflow_stat(plant: Plant) -> stat.Panel:
    return (
        stat.Panel()
        .title("进水 Inflow, latest day so far")
        .datasource(RESULTS)
        .with_target(InfluxQL(RESULTS, _headroom_query(plant, "inflow_m3"), alias="inflow"))
        .unit(UNITS["m3"])
        .decimals(1)
        .no_value("—")
        .span(5)
        .height(9)
    )


def _daily_inflow(plant: Plant) -> timeseries.Panel:
    where = f'"plant" = {quoted(plant.id)} AND $timeFilter'
    query = f'SELECT "inflow_m3", "capacity_m3" FROM "headroom" WHERE {where}'
    return (
        timeseries.Panel()
        .title("每日进水与处理能力 Daily inflow and capacity")
        .datasource(RESULTS)
        .with_target(InfluxQL(RESULTS, query, alias="$col"))
        .time_from("30d")
        .unit(UNITS["m3"])
        .min(0)
        .draw_style(GraphDrawStyle.BARS)
        .fill_opacity(60)
        .override_by_name(
            "capacity_m3",
            [DynamicConfigValue("custom.drawStyle", "line"), DynamicConfigValue("custom.fillOpacity", 0)],
        )
        .legend(_legend())
        .span(24)
        .height(7)
    )


def _against_limits(plant: Plant, series: Series) -> timeseries.Panel:
    where = (
        f'"plant" = {quoted(plant.id)} AND "point" = {quoted(series.point)} '
        f'AND "parameter" = {quoted(series.parameter)} AND $timeFilter'
    )
    panel = (
        timeseries.Panel()
        .title(series.parameter)
        .description("小时值与限值。Hourly values and the limits in force.")
        .datasource(RESULTS)
        .with_target(
            InfluxQL(RESULTS, f'SELECT "mean" FROM "hourly" WHERE {where} GROUP BY "limit_set"', alias="$tag_limit_set")
        )
        .unit(UNITS.get(series.unit, f"suffix: {series.unit}"))
        .show_points(VisibilityMode.AUTO)
        .legend(_legend())
        .span(8)
        .height(8)
    )
    if not _limited(plant, series):
        return panel
    bounds = f'SELECT "upper", "lower" FROM "hourly" WHERE {where} GROUP BY "limit_set"'
    dashed = DynamicConfigValue("custom.lineStyle", {"fill": "dash", "dash": [8, 6]})
    return panel.with_target(InfluxQL(RESULTS, bounds, ref="B", alias="$tag_limit_set $col")).override_by_regexp(
        "/ (upper|lower)$/", [dashed]
    )


def _limited(plant: Plant, series: Series) -> bool:
    sets = (plant.limit_set_by_id[set_id] for set_id in plant.point_by_id[series.point].limits)
    return any(limit.parameter == series.parameter for one in sets for limit in one.limits)


def _verdicts(plant: Plant) -> table.Panel:
    fields = ("value", "lower", "upper", "valid_share", "verdict")
    chosen = ", ".join(f'last("{field}") AS "{field}"' for field in fields)
    query = (
        f'SELECT {chosen} FROM "daily" WHERE "plant" = {quoted(plant.id)} AND "limit_set" != \'none\' AND $timeFilter '
        'GROUP BY "point", "parameter", "limit_set", "statistic"'
    )
    mapping = ValueMap(
        options={
            verdict: ValueMappingResult(text=text, color=colour, index=i)
            for i, (verdict, (text, colour)) in enumerate(VERDICT_COLOURS.items())
        }
    )
    return (
        table.Panel()
        .title("每日判定 Daily verdicts")
        .description(
            "所选时段内最近一日；运行中的一日按目前数据。The latest day in the range; a running day by its data so far."
        )
        .datasource(RESULTS)
        .with_target(InfluxQL(RESULTS, query, table=True))
        .time_from("3d")
        .override_by_name(
            "verdict",
            [
                DynamicConfigValue("mappings", [mapping.to_json()]),
                DynamicConfigValue("custom.cellOptions", {"type": "color-background", "mode": "basic"}),
            ],
        )
        .override_by_name("valid_share", [DynamicConfigValue("unit", "percentunit")])
        .span(24)
        .height(12)
    )
