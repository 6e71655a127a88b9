"""One point in detail, chosen by a variable, and the calendar of its verdicts."""

from __future__ import annotations

from grafana_foundation_sdk.builders import common, dashboard, statushistory, table, timeseries
from grafana_foundation_sdk.models.common import GraphDrawStyle, StackingMode, VisibilityMode
from grafana_foundation_sdk.models.dashboard import DynamicConfigValue

from grafana.influxql import READINGS, RESULTS, InfluxQL, quoted
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
    point_variable,
    text_of,
    unit,
)
from plant_monitor.plant import FLOW, VOLUME, Plant, Point

POINT = "\"point\" = '$point'"


def outfall_detail(plant: Plant, console: str) -> str:
    """An outfall (or the effluent): its flow, each parameter against its limits, what came of it by day."""
    points = [p for p in plant.points if p.limits and judged_parameters([p])]
    made = (
        board(plant, "outfall", "排放口 Outfall", console, since="now-7d")
        .with_variable(point_variable(plant, points))
        .with_row(dashboard.Row("流量 Flow"))
        .with_panel(_flow(plant))
        .with_panel(_daily_volume(plant))
        .with_row(dashboard.Row("水质与限值 Quality against limits"))
    )
    for parameter in judged_parameters(points):
        made = made.with_panel(against_limits(plant, points, parameter, POINT))
    made = made.with_row(dashboard.Row("逐日 By day")).with_panel(_loads(plant, points)).with_panel(_days(plant))
    return text_of(made)


def compliance_calendar(plant: Plant, console: str) -> str:
    """Days × parameters of a point: one square a day and limit, in colour and in words."""
    points = [p for p in plant.points if p.limits and judged_parameters([p])]
    made = (
        board(plant, "calendar", "达标日历 Compliance calendar", console, since="now-31d")
        .with_variable(point_variable(plant, points))
        .with_panel(_calendar(plant))
        .with_panel(_exceeded_days(plant))
    )
    return text_of(made)


def _flow(plant: Plant) -> timeseries.Panel:
    where = of_plant(plant, POINT, f'"parameter" = {quoted(FLOW)}', "\"mark\" = 'N'")
    query = (
        f'SELECT mean("value") AS "mean", max("value") AS "max" FROM "readings" WHERE {where} '
        "GROUP BY time($__interval) fill(null)"
    )
    return (
        timeseries.Panel()
        .title("流量 Flow")
        .description("有效读数的平均与最大值。Mean and largest of the valid readings: no peak is lost by zooming out.")
        .datasource(READINGS)
        .with_target(InfluxQL(READINGS, query, alias="$col"))
        .unit(unit("m3/h"))
        .min(0)
        .no_value(NO_DATA)
        .show_points(VisibilityMode.NEVER)
        .legend(legend())
        .span(16)
        .height(8)
    )


def _daily_volume(plant: Plant) -> timeseries.Panel:
    query = f'SELECT max("volume_m3") FROM "daily" WHERE {of_plant(plant, POINT)} {by_day(plant)}'
    return bars(
        timeseries.Panel()
        .title("日水量 Daily volume")
        .datasource(RESULTS)
        .with_target(InfluxQL(RESULTS, query, alias="m³"))
        .time_from("30d")
        .unit(unit("m3"))
        .min(0)
        .no_value(NO_DATA)
        .span(8)
        .height(8)
    )


def _loads(plant: Plant, points: list[Point]) -> timeseries.Panel:
    where = of_plant(plant, POINT, f'"parameter" != {quoted(FLOW)}', f'"parameter" != {quoted(VOLUME)}')
    query = f'SELECT max("load_kg") FROM "daily" WHERE {where} {by_day(plant, "parameter")}'
    return bars(
        timeseries.Panel()
        .title("日负荷 Daily load")
        .datasource(RESULTS)
        .with_target(InfluxQL(RESULTS, query, alias="$tag_parameter"))
        .time_from("30d")
        .unit(unit("kg"))
        .min(0)
        .no_value(NO_DATA)
        .span(8)
        .height(9)
    )


def _days(plant: Plant) -> table.Panel:
    fields = ("value", "lower", "upper", "valid_share", "load_kg", "verdict")
    chosen = ", ".join(f'"{field}"' for field in fields)
    where = of_plant(plant, POINT, "\"limit_set\" != 'none'")
    query = f'SELECT {chosen} FROM "daily" WHERE {where} GROUP BY "parameter", "limit_set", "statistic"'
    return (
        table.Panel()
        .title("日均值与判定 Daily values and verdicts")
        .datasource(RESULTS)
        .with_target(InfluxQL(RESULTS, query, table=True))
        .no_value(NO_DATA)
        .override_by_name("verdict", mapped(VERDICTS))
        .override_by_name("valid_share", [PERCENT])
        .span(16)
        .height(9)
    )


def _calendar(plant: Plant) -> statushistory.Panel:
    where = of_plant(plant, POINT, "\"limit_set\" != 'none'")
    query = f'SELECT "verdict" FROM "daily" WHERE {where} GROUP BY "parameter", "limit_set", "statistic"'
    return (
        statushistory.Panel()
        .title("每日判定 Verdicts by day")
        .description("一格一日；悬停可见文字。One square a day; the word is shown on hovering.")
        .datasource(RESULTS)
        .with_target(InfluxQL(RESULTS, query, alias="$tag_parameter · $tag_limit_set · $tag_statistic"))
        .mappings([VERDICTS])
        .show_value(VisibilityMode.AUTO)
        .no_value(NO_DATA)
        .legend(common.VizLegendOptions().show_legend(True))
        .span(24)
        .height(14)
    )


def _exceeded_days(plant: Plant) -> table.Panel:
    where = of_plant(plant, "\"verdict\" = 'exceeded'")
    query = (
        f'SELECT count("value") AS "days", max("value") AS "worst" FROM "daily" WHERE {where} '
        'GROUP BY "point", "parameter", "limit_set", "statistic"'
    )
    return (
        table.Panel()
        .title("超标天数 Days exceeded, all points")
        .datasource(RESULTS)
        .with_target(InfluxQL(RESULTS, query, table=True))
        .no_value("无超标 none exceeded")
        .override_by_name("Time", [DynamicConfigValue("custom.hidden", True)])
        .span(24)
        .height(9)
    )


def by_day(plant: Plant, *tags: str) -> str:
    """GROUP BY local days, and tags: a point's volume stands on each of its rows, so the largest is it."""
    grouped = ", ".join(["time(1d)", *(f'"{tag}"' for tag in tags)])
    return f"GROUP BY {grouped} fill(none) tz('{plant.zone.key}')"


def bars(panel: timeseries.Panel) -> timeseries.Panel:
    """A panel of bars, one above the other."""
    return (
        panel.draw_style(GraphDrawStyle.BARS)
        .fill_opacity(60)
        .stacking(common.StackingConfig().mode(StackingMode.NORMAL))
        .legend(legend())
    )
