"""The plant's water: headroom and forecast, and what each member brought of it."""

from __future__ import annotations

from grafana_foundation_sdk.builders import common, dashboard, piechart, stat, table, timeseries
from grafana_foundation_sdk.models.common import GraphDrawStyle
from grafana_foundation_sdk.models.dashboard import DynamicConfigValue, Threshold, ThresholdsMode
from grafana_foundation_sdk.models.piechart import PieChartLabels

from grafana.influxql import RESULTS, InfluxQL, any_of
from grafana.overview import daily_inflow, headroom_gauge
from grafana.parts import DASHED, NO_DATA, PERCENT, board, legend, of_plant, text_of, unit
from grafana.quality import bars, by_day
from plant_monitor.plant import FLOW, Plant

LINE = [DynamicConfigValue("custom.drawStyle", "line"), DynamicConfigValue("custom.fillOpacity", 0), DASHED]
ALONE = DynamicConfigValue("custom.stacking", {"mode": "none"})


def headroom_and_forecast(plant: Plant, console: str) -> str:
    """What is left of the capacity, by day and hour, and what the next days may bring."""
    made = (
        board(plant, "headroom", "余量与预测 Headroom and forecast", console, since="now-30d")
        .with_panel(headroom_gauge(plant))
        .with_panel(_chance(plant))
        .with_panel(_peak(plant))
        .with_panel(daily_inflow(plant))
        .with_panel(_forecast(plant))
        .with_panel(_hourly_inflow(plant))
    )
    return text_of(made)


def members(plant: Plant, console: str) -> str:
    """Each member's share of the water, against its quota, and the outfalls' sum against the inlet."""
    made = (
        board(plant, "members", "成员份额 Members", console, since="now-30d")
        .with_row(dashboard.Row("份额 Shares"))
        .with_panel(_shares(plant))
        .with_panel(_member_days(plant))
        .with_panel(_quotas(plant))
        .with_row(dashboard.Row("对账 Reconciliation"))
        .with_panel(_reconciliation(plant))
        .with_panel(_difference(plant))
    )
    return text_of(made)


def _chance(plant: Plant) -> stat.Panel:
    steps = [Threshold(None, "green"), Threshold(0.05, "yellow"), Threshold(0.2, "red")]
    query = f'SELECT max("passing_chance") FROM "forecast" WHERE {week_ahead(plant)}'
    return (
        stat.Panel()
        .title("一周内超处理能力的最大日概率 Largest daily chance of passing the capacity, week ahead")
        .datasource(RESULTS)
        .with_target(InfluxQL(RESULTS, query, alias="chance"))
        .unit("percentunit")
        .decimals(1)
        .thresholds(dashboard.ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(steps))
        .no_value("不足 28 天，无预测 no forecast before 28 days")
        .span(9)
        .height(9)
    )


def _peak(plant: Plant) -> stat.Panel:
    return (
        stat.Panel()
        .title("时段内最大小时进水 Largest hourly inflow of the range")
        .datasource(RESULTS)
        .with_target(
            InfluxQL(RESULTS, f'SELECT max("peak_m3_h") FROM "headroom" WHERE {of_plant(plant)}', alias="peak")
        )
        .unit(unit("m3/h"))
        .decimals(1)
        .no_value(NO_DATA)
        .span(10)
        .height(9)
    )


def week_ahead(plant: Plant) -> str:
    """The WHERE of a forecast: it lies beyond the end of the range that is looked at."""
    return of_plant(plant).replace("$timeFilter", "time >= now() - 1d AND time <= now() + 8d")


def _forecast(plant: Plant) -> table.Panel:
    chosen = ", ".join(f'"{name}"' for name in ("p10_m3", "p50_m3", "p90_m3", "capacity_m3", "passing_chance"))
    return (
        table.Panel()
        .title("七日进水预测 Inflow forecast, seven days")
        .description(
            "p10、p50、p90：该日低于此值的概率为 10 %、50 %、90 %。The day stays below with a chance of 10, 50, 90 %. "
            "每小时更新。Renewed each hour."
        )
        .datasource(RESULTS)
        .with_target(InfluxQL(RESULTS, f'SELECT {chosen} FROM "forecast" WHERE {week_ahead(plant)}', table=True))
        .unit(unit("m3"))
        .decimals(0)
        .override_by_name("passing_chance", [PERCENT, DynamicConfigValue("decimals", 1)])
        .no_value("不足 28 天，无预测 no forecast before 28 days")
        .span(12)
        .height(9)
    )


def _hourly_inflow(plant: Plant) -> timeseries.Panel:
    points = [plant.inlet] if plant.inlet else [p.id for p in plant.outfalls]
    where = of_plant(plant, any_of("point", points), f"\"parameter\" = '{FLOW}'")
    query = f'SELECT "volume_m3" FROM "hourly" WHERE {where} GROUP BY "point"'
    return (
        timeseries.Panel()
        .title("小时进水 Hourly inflow")
        .datasource(RESULTS)
        .with_target(InfluxQL(RESULTS, query, alias="$tag_point"))
        .time_from("7d")
        .unit(unit("m3"))
        .min(0)
        .no_value(NO_DATA)
        .draw_style(GraphDrawStyle.LINE)
        .legend(legend())
        .span(12)
        .height(9)
    )


def _shares(plant: Plant) -> piechart.Panel:
    query = f'SELECT sum("volume_m3") FROM "shares" WHERE {of_plant(plant)} GROUP BY "member"'
    return (
        piechart.Panel()
        .title("时段内水量份额 Shares of the range")
        .description("实测流量，非结算水量。Measured flows; a bill counts litres between registers.")
        .datasource(RESULTS)
        .with_target(InfluxQL(RESULTS, query, alias="$tag_member"))
        .unit(unit("m3"))
        .reduce_options(common.ReduceDataOptions().calcs(["sum"]))
        .display_labels([PieChartLabels.NAME, PieChartLabels.PERCENT])
        .no_value(NO_DATA)
        .span(8)
        .height(10)
    )


def _member_days(plant: Plant) -> timeseries.Panel:
    query = f'SELECT "volume_m3" FROM "shares" WHERE {of_plant(plant)} GROUP BY "member"'
    return bars(
        timeseries.Panel()
        .title("每日水量 Volume by day")
        .datasource(RESULTS)
        .with_target(InfluxQL(RESULTS, query, alias="$tag_member"))
        .unit(unit("m3"))
        .min(0)
        .no_value(NO_DATA)
        .span(16)
        .height(10)
    )


def _quotas(plant: Plant) -> table.Panel:
    chosen = (
        'last("volume_m3") AS "volume_m3", last("share") AS "share", last("quota_m3") AS "quota_m3", '
        'last("valid_share") AS "valid_share"'
    )
    query = f'SELECT {chosen} FROM "shares" WHERE {of_plant(plant)} GROUP BY "member"'
    return (
        table.Panel()
        .title("最近一日与配额 Latest day and quota")
        .datasource(RESULTS)
        .with_target(InfluxQL(RESULTS, query, table=True))
        .unit(unit("m3"))
        .override_by_name("share", [PERCENT])
        .override_by_name("valid_share", [PERCENT])
        .no_value(NO_DATA)
        .span(24)
        .height(7)
    )


def _reconciliation(plant: Plant) -> timeseries.Panel:
    query = f'SELECT "inlet_m3", "outfalls_m3", "difference_m3" FROM "reconciliation" WHERE {of_plant(plant)}'
    return bars(
        timeseries.Panel()
        .title("进水与排放口之和 Inlet against the sum of the outfalls")
        .description(
            "差额：任一方有效率低于 75 % 的日不计。Unknown on days of which less than 75 % is valid on a side."
        )
        .datasource(RESULTS)
        .with_target(InfluxQL(RESULTS, query, alias="$col"))
        .unit(unit("m3"))
        .no_value(NO_DATA)
        .override_by_name("inlet_m3", [*LINE, ALONE])
        .override_by_name("outfalls_m3", [ALONE])
        .override_by_name("difference_m3", [ALONE])
        .span(16)
        .height(9)
    )


def _difference(plant: Plant) -> timeseries.Panel:
    query = f'SELECT mean("difference_share") FROM "reconciliation" WHERE {of_plant(plant)} {by_day(plant)}'
    return (
        timeseries.Panel()
        .title("差额占比 Difference as a share of the inlet")
        .datasource(RESULTS)
        .with_target(InfluxQL(RESULTS, query, alias="share"))
        .unit("percentunit")
        .no_value(NO_DATA)
        .legend(legend())
        .span(8)
        .height(9)
    )
