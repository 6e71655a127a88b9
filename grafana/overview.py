"""The plant overview: what an operator looks at first."""

from __future__ import annotations

from grafana_foundation_sdk.builders import dashboard, gauge, stat, table, timeseries
from grafana_foundation_sdk.models.common import GraphDrawStyle, VisibilityMode
from grafana_foundation_sdk.models.dashboard import DynamicConfigValue, Threshold, ThresholdsMode

from grafana.influxql import READINGS, RESULTS, InfluxQL, any_of, quoted
from grafana.parts import (
    NO_DATA,
    PERCENT,
    VERDICTS,
    against_limits,
    board,
    judged_parameters,
    legend,
    mapped,
    of_plant,
    text_of,
    unit,
)
from plant_monitor.plant import FLOW, Plant


def plant_overview(plant: Plant, console: str) -> str:
    """The dashboard as JSON text: outfall flows, headroom, effluent against its limits, verdicts."""
    made = (
        board(plant, "overview", "总览 Overview", console)
        .with_row(dashboard.Row("水量 Flow and headroom"))
        .with_panel(_outfall_flows(plant))
        .with_panel(headroom_gauge(plant))
        .with_panel(_inflow_stat(plant))
        .with_panel(daily_inflow(plant))
    )
    effluent = [p for p in plant.points if p.id == plant.effluent]
    if effluent:
        made = made.with_row(dashboard.Row("出水 Effluent against its limits"))
    for parameter in judged_parameters(effluent):
        where = f'"point" = {quoted(effluent[0].id)}'
        made = made.with_panel(against_limits(plant, effluent, parameter, where))
    return text_of(made.with_row(dashboard.Row("判定 Verdicts")).with_panel(_verdicts(plant)))


def _outfall_flows(plant: Plant) -> timeseries.Panel:
    points = any_of("point", [p.id for p in plant.outfalls if p.find(FLOW)])
    where = of_plant(plant, f'"parameter" = {quoted(FLOW)}', "\"mark\" = 'N'", points)
    query = f'SELECT mean("value") FROM "readings" WHERE {where} GROUP BY time($__interval), "point" fill(null)'
    return (
        timeseries.Panel()
        .title("排放口流量 Outfall flows")
        .description("有效读数的平均值（标记 N）。Means of the valid readings (mark N).")
        .datasource(READINGS)
        .with_target(InfluxQL(READINGS, query, alias="$tag_point"))
        .unit(unit("m3/h"))
        .min(0)
        .no_value(NO_DATA)
        .show_points(VisibilityMode.NEVER)
        .legend(legend())
        .span(14)
        .height(9)
    )


def _headroom_query(plant: Plant, field: str) -> str:
    return f'SELECT last("{field}") FROM "headroom" WHERE {of_plant(plant)}'


def headroom_gauge(plant: Plant) -> gauge.Panel:
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
        .unit(unit("m3"))
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
        .unit(unit("m3"))
        .decimals(1)
        .no_value(NO_DATA)
        .span(5)
        .height(9)
    )


def daily_inflow(plant: Plant) -> timeseries.Panel:
    query = f'SELECT "inflow_m3", "capacity_m3" FROM "headroom" WHERE {of_plant(plant)}'
    return (
        timeseries.Panel()
        .title("每日进水与处理能力 Daily inflow and capacity")
        .datasource(RESULTS)
        .with_target(InfluxQL(RESULTS, query, alias="$col"))
        .time_from("30d")
        .no_value(NO_DATA)
        .unit(unit("m3"))
        .min(0)
        .draw_style(GraphDrawStyle.BARS)
        .fill_opacity(60)
        .override_by_name(
            "capacity_m3",
            [DynamicConfigValue("custom.drawStyle", "line"), DynamicConfigValue("custom.fillOpacity", 0)],
        )
        .legend(legend())
        .span(24)
        .height(7)
    )


def _verdicts(plant: Plant) -> table.Panel:
    fields = ("value", "lower", "upper", "valid_share", "verdict")
    chosen = ", ".join(f'last("{field}") AS "{field}"' for field in fields)
    where = of_plant(plant, "\"limit_set\" != 'none'")
    query = f'SELECT {chosen} FROM "daily" WHERE {where} GROUP BY "point", "parameter", "limit_set", "statistic"'
    return (
        table.Panel()
        .title("每日判定 Daily verdicts")
        .description(
            "所选时段内最近一日；运行中的一日按目前数据。The latest day in the range; a running day by its data so far."
        )
        .datasource(RESULTS)
        .with_target(InfluxQL(RESULTS, query, table=True))
        .time_from("3d")
        .no_value(NO_DATA)
        .override_by_name("verdict", mapped(VERDICTS))
        .override_by_name("valid_share", [PERCENT])
        .span(24)
        .height(12)
    )
