"""Devices, series and what was refused: is the field talking, and is what it says taken."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from nicegui import ui

from plant_monitor.console.html import Html, h, table
from plant_monitor.console.page import Visit, heading, part

EVERY_S = 5.0
SERIES = {
    "ok": ("✓", "正常", "ok", "met"),
    "invalid": ("◐", "无效", "not valid", "insufficient_data"),
    "waiting": ("…", "等待", "waiting", "no_limit"),
    "silent": ("✕", "无数据", "silent", "exceeded"),
    "unfed": ("–", "无来源", "no device", "no_limit"),
}


async def show(visit: Visit) -> None:
    """The page."""
    w = visit.words
    with ui.element("section").classes("panel"):
        heading(w("服务", "Service"))
        part(visit, lambda: _service(visit), every_s=EVERY_S)
    with ui.element("section").classes("panel"):
        heading(w("设备与站点", "Devices and stations"))
        part(visit, lambda: _devices(visit), every_s=EVERY_S)
    with ui.element("section").classes("panel"):
        heading(w("序列", "Series"))
        part(visit, lambda: _series(visit), every_s=EVERY_S)
    with ui.element("section").classes("panel"):
        heading(w("隔离区", "Quarantine"))
        part(visit, lambda: _quarantine(visit), every_s=15)


async def _service(visit: Visit) -> Html:
    w, health = visit.words, await visit.asking.get("/health")
    journal, disk = health["journal"], health["disk"]
    rows = [
        (w("状态", "State"), health["status"]),
        (w("读数", "Readings"), f"{journal['readings']:,}"),
        (w("被替换", "Superseded"), f"{journal['superseded']:,}"),
        (w("隔离", "Quarantined"), f"{journal['quarantined']:,}"),
        (w("待转发", "Waiting for InfluxDB"), "—" if journal["outbox_rows"] is None else f"{journal['outbox_rows']:,}"),
        (w("磁盘", "Disk"), f"{disk['used_share']:.0%} · {disk['state']}"),
        (w("时钟", "Clock"), health["clock"]["state"]),
    ]
    refused = health["configuration"]["error"] if health.get("configuration") else None
    told = h("p", "⚠ ", w("新的 plant.yaml 未生效:", "The new plant.yaml is not in force: "), refused, class_="trouble")
    facts = h("dl", [h("div", h("dt", k), h("dd", v), class_="line") for k, v in rows], class_="facts")
    return h("div", told if refused else None, facts)


async def _devices(visit: Visit) -> Html:
    w, devices = visit.words, (await visit.asking.get("/health"))["devices"]
    if not devices:
        return h("p", w("没有设备", "There are no devices"), class_="empty")
    head = (
        w("设备", "Device"),
        w("协议", "Protocol"),
        w("状态", "State"),
        w("最近一次", "Last heard"),
        w("数据", "Counts"),
    )
    rows = [(d["id"], d["protocol"], _state(visit, d), _heard(visit, d), _counts(visit, d)) for d in devices]
    return table(head, rows, caption=w("设备与站点", "Devices and stations"))


def _state(visit: Visit, device: Mapping[str, Any]) -> Html:
    well = device["state"] in ("ok", "subscribed") and not device["silent"]
    shape, kind = ("✓", "met") if well else ("✕", "exceeded")
    said = visit.words("无数据", "silent") if device["silent"] else device["state"]
    return h("span", h("b", shape, aria_hidden="true"), " ", said, class_=f"verdict {kind}")


def _heard(visit: Visit, device: Mapping[str, Any]) -> str:
    heard_ms = device.get("last_good_ms") or device.get("last_message_ms")
    if not heard_ms:
        return visit.words("从未", "never")
    return datetime.fromtimestamp(heard_ms / 1000, ZoneInfo(visit.plant["timezone"])).strftime("%m-%d %H:%M:%S")


def _counts(visit: Visit, device: Mapping[str, Any]) -> str:
    w = visit.words
    if device["protocol"] == "mqtt":
        return f"{device.get('messages', 0):,} {w('条消息', 'messages')}"
    missed, asked = device.get("missed", 0), device.get("requests", 0)
    return f"{asked:,} {w('次请求', 'requests')}, {missed:,} {w('次缺测', 'missed')}"


async def _series(visit: Visit) -> Html:
    w, series = visit.words, (await visit.asking.get("/health"))["series"]
    head = (
        w("监测点", "Point"),
        w("因子", "Parameter"),
        w("状态", "State"),
        w("最近有效值", "Last valid"),
        w("来源", "From"),
    )
    order = ["silent", "invalid", "waiting", "unfed", "ok"]  # what needs somebody first
    rows = []
    for one in sorted(series, key=lambda s: order.index(s["state"])):
        shape, zh, en, kind = SERIES.get(one["state"], ("?", one["state"], one["state"], "no_limit"))
        sign = h("span", h("b", shape, aria_hidden="true"), " ", w(zh, en), class_=f"verdict {kind}")
        rows.append(
            (
                visit.point_name(one["point"]),
                w.parameter(one["parameter"]),
                sign,
                w.age(one["age_s"]),
                ", ".join(one["devices"]),
            )
        )
    return table(head, rows, caption=w("序列", "Series"))


async def _quarantine(visit: Visit) -> Html:
    w = visit.words
    found = (await visit.asking.get("/quarantine", limit=50))["items"]
    if not found:
        return h("p", "✓ ", w("隔离区是空的", "Nothing was refused"), class_="empty")
    head = (w("编号", "Number"), w("到达", "Arrived"), w("来源", "From"), w("原因", "Reason"), w("内容", "Content"))
    rows = [
        (str(q["number"]), q["arrived"][:19].replace("T", " "), q["source"], q["reason"], h("code", q["content"][:200]))
        for q in found
    ]
    note = w("重新接收:plant-monitor quarantine reinject", "To take it after all: plant-monitor quarantine reinject")
    return h("div", table(head, rows, caption=w("隔离区", "Quarantine")), h("p", note, class_="fresh"))
