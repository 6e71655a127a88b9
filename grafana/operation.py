"""Devices, data quality, and alerts; and the rules by which Grafana itself raises an alarm."""

from __future__ import annotations

from typing import Any

import yaml
from grafana_foundation_sdk.builders import common, dashboard, stat, statushistory, table, timeseries
from grafana_foundation_sdk.models.common import GraphDrawStyle, VisibilityMode
from grafana_foundation_sdk.models.dashboard import DynamicConfigValue, Threshold, ThresholdsMode

from grafana.influxql import RESULTS, InfluxQL, quoted
from grafana.parts import NO_DATA, PERCENT, board, legend, mapped, mapping, of_plant, text_of
from plant_monitor.plant import Plant

STATES = mapping(
    {
        "ok": ("正常 ok", "green"),
        "degraded": ("降级 degraded", "yellow"),
        "not storing": ("不存储 not storing", "red"),
        "subscribed": ("已订阅 subscribed", "green"),
        "starting": ("启动中 starting", "blue"),
        "connecting": ("连接中 connecting", "yellow"),
        "invalid": ("无效 invalid", "yellow"),
        "waiting": ("等待 waiting", "blue"),
        "silent": ("静默 silent", "red"),
        "unfed": ("无来源 unfed", "text"),
    }
)
ALERT_STATES = mapping(
    {
        "open": ("未确认 open", "red"),
        "acknowledged": ("已确认 acknowledged", "orange"),
        "assigned": ("已指派 assigned", "yellow"),
        "replied": ("已答复 replied", "blue"),
        "closed": ("已关闭 closed", "green"),
        "reopened": ("重开 reopened", "red"),
    }
)
DEVICE = "\"device\" != ''"
SERIES = "\"parameter\" != ''"
SERVICE = "\"device\" = '' AND \"parameter\" = ''"


def devices(plant: Plant, console: str) -> str:
    """Which devices and series speak, how much of each day is valid, what waits in the journal."""
    made = (
        board(plant, "devices", "设备与数据质量 Devices and data quality", console)
        .with_row(dashboard.Row("服务 Service"))
        .with_panel(_service_state(plant))
        .with_panel(_service_numbers(plant))
        .with_row(dashboard.Row("设备 Devices"))
        .with_panel(_device_history(plant))
        .with_panel(_device_table(plant))
        .with_row(dashboard.Row("数据质量 Data quality"))
        .with_panel(_series_table(plant))
        .with_panel(_valid_shares(plant))
    )
    return text_of(made)


def alerts(plant: Plant, console: str) -> str:
    """Episodes of all alerts; who is told, and by when to answer, is the console's and the API's."""
    made = (
        board(plant, "alerts", "告警 Alerts", console, since="now-30d")
        .with_panel(_open(plant))
        .with_panel(_by_kind(plant))
        .with_panel(_episodes(plant))
    )
    return text_of(made)


def _service_state(plant: Plant) -> statushistory.Panel:
    query = f'SELECT last("state") FROM "device_health" WHERE {of_plant(plant, SERVICE)} GROUP BY time(5m) fill(none)'
    return _history("服务状态 State of the service", query, "service", 8)


def _service_numbers(plant: Plant) -> timeseries.Panel:
    columns = ("backlog", "refused", "quarantined", "disk_used_share")
    chosen = ", ".join(f'max("{name}") AS "{name}"' for name in columns)
    query = f'SELECT {chosen} FROM "device_health" WHERE {of_plant(plant, SERVICE)} GROUP BY time(5m) fill(none)'
    return (
        timeseries.Panel()
        .title("积压、拒绝、隔离、磁盘 Backlog, refused, quarantined, disk")
        .datasource(RESULTS)
        .with_target(InfluxQL(RESULTS, query, alias="$col"))
        .no_value(NO_DATA)
        .override_by_name("disk_used_share", [PERCENT, DynamicConfigValue("custom.axisPlacement", "right")])
        .legend(legend())
        .span(16)
        .height(7)
    )


def _device_history(plant: Plant) -> statushistory.Panel:
    where = of_plant(plant, DEVICE)
    query = f'SELECT last("state") FROM "device_health" WHERE {where} GROUP BY time(5m), "device" fill(none)'
    return _history("设备状态 State of each device", query, "$tag_device", 24)


def _history(title: str, query: str, alias: str, span: int) -> statushistory.Panel:
    return (
        statushistory.Panel()
        .title(title)
        .datasource(RESULTS)
        .with_target(InfluxQL(RESULTS, query, alias=alias))
        .mappings([STATES])
        .show_value(VisibilityMode.NEVER)
        .no_value("服务未写入 the service has written nothing")
        .legend(common.VizLegendOptions().show_legend(True))
        .span(span)
        .height(7)
    )


def _device_table(plant: Plant) -> table.Panel:
    fields = ("state", "silent", "last_good_ms", "last_message_ms", "round_trip_ms", "requests", "missed", "errors")
    chosen = ", ".join(f'last("{name}") AS "{name}"' for name in fields)
    query = f'SELECT {chosen} FROM "device_health" WHERE {of_plant(plant, DEVICE)} GROUP BY "device"'
    return _states("设备 Devices", query, ("last_good_ms", "last_message_ms"))


def _series_table(plant: Plant) -> table.Panel:
    chosen = ", ".join(f'last("{name}") AS "{name}"' for name in ("state", "last_good_ms", "age_s"))
    query = f'SELECT {chosen} FROM "device_health" WHERE {of_plant(plant, SERIES)} GROUP BY "point", "parameter"'
    return _states("序列 Series", query, ("last_good_ms",)).span(12)


def _states(title: str, query: str, times: tuple[str, ...]) -> table.Panel:
    panel = (
        table.Panel()
        .title(title)
        .datasource(RESULTS)
        .with_target(InfluxQL(RESULTS, query, table=True))
        .no_value(NO_DATA)
        .override_by_name("state", mapped(STATES))
        .override_by_name("age_s", [DynamicConfigValue("unit", "s")])
        .override_by_name("round_trip_ms", [DynamicConfigValue("unit", "ms")])
        .span(24)
        .height(10)
    )
    for name in times:
        panel = panel.override_by_name(name, [DynamicConfigValue("unit", "dateTimeAsIso")])
    return panel


def _valid_shares(plant: Plant) -> table.Panel:
    chosen = 'last("valid_share") AS "latest", mean("valid_share") AS "mean", min("valid_share") AS "worst"'
    query = f'SELECT {chosen} FROM "daily" WHERE {of_plant(plant)} GROUP BY "point", "parameter"'
    steps = [Threshold(None, "red"), Threshold(0.75, "yellow"), Threshold(0.9, "green")]
    return (
        table.Panel()
        .title("有效率 Valid share of the day, 7 days")
        .description("低于 75 % 的日不作达标判定。A day below 75 % is not judged.")
        .datasource(RESULTS)
        .with_target(InfluxQL(RESULTS, query, table=True))
        .time_from("7d")
        .unit("percentunit")
        .thresholds(dashboard.ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(steps))
        .override_by_regexp(
            "/^(latest|mean|worst)$/", [DynamicConfigValue("custom.cellOptions", {"type": "color-text"})]
        )
        .no_value(NO_DATA)
        .span(12)
        .height(10)
    )


def _open(plant: Plant) -> stat.Panel:
    where = of_plant(plant, "\"state\" != 'closed'")
    query = f'SELECT count("alert") FROM "alerts" WHERE {where}'
    return (
        stat.Panel()
        .title("未关闭的超标过程 Episodes of alerts that are not closed")
        .datasource(RESULTS)
        .with_target(InfluxQL(RESULTS, query, alias="open"))
        .no_value("0")
        .span(8)
        .height(8)
    )


def _by_kind(plant: Plant) -> timeseries.Panel:
    query = f'SELECT count("alert") FROM "alerts" WHERE {of_plant(plant)} GROUP BY time(1d), "kind" fill(none)'
    return (
        timeseries.Panel()
        .title("每日开始的过程 Episodes by day and kind")
        .datasource(RESULTS)
        .with_target(InfluxQL(RESULTS, query + f" tz('{plant.zone.key}')", alias="$tag_kind"))
        .draw_style(GraphDrawStyle.BARS)
        .fill_opacity(60)
        .no_value("无告警 no alerts")
        .legend(legend())
        .span(16)
        .height(8)
    )


def _episodes(plant: Plant) -> table.Panel:
    fields = ("state", "ongoing", "end_ms", "windows", "peak", "limit", "peak_ratio", "alert")
    chosen = ", ".join(f'"{name}"' for name in fields)
    tags = '"point", "parameter", "limit_set", "statistic", "kind"'
    return (
        table.Panel()
        .title("过程 Episodes")
        .datasource(RESULTS)
        .with_target(InfluxQL(RESULTS, f'SELECT {chosen}, {tags} FROM "alerts" WHERE {of_plant(plant)}', table=True))
        .no_value("无告警 no alerts")
        .override_by_name("state", mapped(ALERT_STATES))
        .override_by_name("end_ms", [DynamicConfigValue("unit", "dateTimeAsIso")])
        .override_by_name("peak_ratio", [PERCENT])
        .span(24)
        .height(14)
    )


# --- alert rules ----------------------------------------------------------------------------------

RULES_NOTE = """\
# Written by `python -m grafana`. Grafana tells operators two things alone: that the service is dead, and that data
# are missing. Exceedances are told by the product itself, with deadlines and a trail.
# They go where your notification policies send the label `to=operators`; without one, to Grafana's default contact.
"""


def alert_rules(plant: Plant) -> str:
    """The file for Grafana's provisioning of alert rules."""
    plant_is = f'"plant" = {quoted(plant.id)}'
    minutes = f'SELECT count("state") FROM "device_health" WHERE {plant_is} AND {SERVICE} AND $timeFilter'
    # A truth value is no number to a rule, so the minutes in which a device was silent are counted.
    silent = (
        f'SELECT count("state") FROM "device_health" WHERE {plant_is} AND {DEVICE} AND "silent" = true AND $timeFilter '
        'GROUP BY "device"'
    )
    rules = [
        _rule(
            f"{plant.id}-dead",
            "服务停止 The service is dead",
            minutes,
            {"type": "lt", "params": [1]},
            "Alerting",
            "五分钟未写入健康状态。The service has written no health for five minutes.",
        ),
        _rule(
            f"{plant.id}-silent",
            "数据缺失 Data are missing",
            silent,
            {"type": "gt", "params": [2]},
            "OK",  # none is silent, or nothing at all comes, of which the rule above speaks
            "设备 {{ $labels.device }} 静默。The device {{ $labels.device }} is silent.",
        ),
    ]
    group = {"orgId": 1, "name": plant.id, "folder": "plant-monitor", "interval": "1m", "rules": rules}
    text = yaml.safe_dump({"apiVersion": 1, "groups": [group]}, allow_unicode=True, sort_keys=False, width=120)
    return RULES_NOTE + text


def _rule(uid: str, title: str, query: str, condition: dict[str, Any], no_data: str, summary: str) -> dict[str, Any]:
    def expression(ref: str, kind: str, **more: Any) -> dict[str, Any]:
        source = {"type": "__expr__", "uid": "__expr__"}
        return {
            "refId": ref,
            "datasourceUid": "__expr__",
            "model": {"refId": ref, "type": kind, "datasource": source, **more},
        }

    model = InfluxQL(RESULTS, query).to_json()
    span = {"from": 300, "to": 0}
    return {
        "uid": uid,
        "title": title,
        "condition": "C",
        "data": [
            {"refId": "A", "relativeTimeRange": span, "datasourceUid": RESULTS.uid, "model": model},
            expression("B", "reduce", expression="A", reducer="last"),
            expression("C", "threshold", expression="B", conditions=[{"evaluator": condition}]),
        ],
        "for": "2m",
        "noDataState": no_data,
        "execErrState": "Error",
        "annotations": {"summary": summary},
        "labels": {"to": "operators"},
    }
