"""A member's statement in words and numbers: from cost item to share to litres to registers to readings.

It reads the document that was handed out, so what is explained is what was charged.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from plant_monitor.allocation.correction import Document, truth
from plant_monitor.allocation.split import CAPACITY_SHARE, DIRECT_PREFIX, EQUAL, LOAD, LOAD_PREFIX, VOLUME_BASIS
from plant_monitor.allocation.tariff import FIXED, TARIFF_BASIS, VOLUME_PRICE
from plant_monitor.plant import Name

#: point -> texts of the register readings around the period's start and end
Registers = Mapping[str, Sequence[str]]

_BASIS = {
    VOLUME_BASIS: ("计费水量", "billed volume"),
    CAPACITY_SHARE: ("产能份额", "capacity share"),
    EQUAL: ("成员数", "members, equally"),
    LOAD: ("污染当量", "pollution equivalents"),
}
_METHOD = {
    "totaliser": ("按累积流量表底差", "by the difference of the registers"),
    "flow": ("按流量积分", "by the flow's integral"),
    "estimate": ("无计量，按合同水量或产能份额估算", "nothing measured it: estimated from quota or capacity share"),
}


def explain_statement(document: Document, member: str, registers: Registers) -> list[Name]:
    """How one member's total came about, line by line. ``registers`` as the store has them now."""
    full = truth(document)
    own = next(m for m in full["members"] if m["member"] == member)
    lines = [_head(document, own)]
    if full is not document:
        lines += _correction(document, member)
    lines += [_line(line, full) for line in own["lines"] if _concerns(line, member)]
    lines.append(
        Name(f"应付合计：{own['total_yuan']} 元", f"Total due: {own['total_yuan']} yuan"),
    )
    lines.append(_billed(own, full))
    lines += [_load(parameter, load, own) for parameter, load in own["loads"].items()]
    meters = (full.get("reconciliation") or {"meters": []})["meters"]
    for volume in full["volumes"]:
        if volume["member"] == member:
            lines += _volume(volume, registers.get(volume["point"], ()))
            lines += [_meters(m) for m in meters if m["point"] == volume["point"]]
    lines += [Name(f["message"]["zh"], f["message"]["en"]) for f in full["findings"] if f["member"] == member]
    lines.append(_inputs(full))
    return lines


def _head(document: Document, own: Document) -> Name:
    number = document.get("number") or document["period"]["label"]
    state = {"draft": "草稿", "superseded": "已被取代的草稿", "issued": "已签发"}
    is_ = document.get("state", "draft")
    kind = ("更正单", "correction") if document.get("kind") == "correction" else ("结算单", "statement")
    period = document["period"]
    return Name(
        f"{kind[0]} {number}（{state.get(is_, is_)}），{own['name']['zh']}，{period['start']} 至 {period['end']}",
        f"{kind[1].capitalize()} {number} ({is_}), {own['name']['en']}, {period['start']} to {period['end']}",
    )


def _correction(document: Document, member: str) -> list[Name]:
    own = next(m for m in document["members"] if m["member"] == member)
    lines = [
        Name(
            f"更正 {document['predecessor']}，原因：{document['cause']}。差额 {own['total_yuan']} 元",
            f"Corrects {document['predecessor']}, because: {document['cause']}. Difference {own['total_yuan']} yuan",
        )
    ]
    for line in own["lines"]:
        was, now, by = line["before"]["amount_yuan"], line["after"]["amount_yuan"], line["amount_yuan"]
        text = f"{line['item']}: {was} → {now} ({by})"
        lines.append(Name(text, text))
    return [*lines, Name("重算如下：", "Recomputed:")]


def _concerns(line: Document, member: str) -> bool:
    """What is charged to another member directly is that member's alone."""
    return not line["basis"].startswith(DIRECT_PREFIX) or line["basis"] == DIRECT_PREFIX + member


def _line(line: Document, full: Document) -> Name:
    if line["basis"] == TARIFF_BASIS:
        return _tariff(line)
    cost = next(i for i in full["items"] if i["item"] == line["item"])
    total, amount = cost["amount_yuan"], line["amount_yuan"]
    if line["basis"].startswith(DIRECT_PREFIX):
        return Name(
            f"{line['item']}：{total} 元，全部由本成员承担：{amount} 元",
            f"{line['item']}: {total} yuan, borne by this member alone: {amount} yuan",
        )
    zh, en = _basis(cost.get("split_by_instead") or line["basis"])
    quantity = f"{line['quantity']} {line['unit']}"
    return Name(
        f"{line['item']}：费用 {total} 元，按{zh}分摊；本成员 {quantity}，份额 {line['share']}，"
        f"按最大余数法取到分：{amount} 元",
        f"{line['item']}: a cost of {total} yuan by {en}; this member {quantity}, share {line['share']},"
        f" to the fen by largest remainder: {amount} yuan",
    )


def _basis(basis: str) -> tuple[str, str]:
    if basis.startswith(LOAD_PREFIX):
        parameter = basis.removeprefix(LOAD_PREFIX)
        return f" {parameter} 负荷", f"load of {parameter}"
    return _BASIS.get(basis, (basis, basis))


def _tariff(line: Document) -> Name:
    details, amount = line["details"], line["amount_yuan"]
    quantity = f"{line['quantity']} {line['unit']}"
    if line["item"] == VOLUME_PRICE:
        how = f"{quantity} × {details['yuan_m3']} yuan/m3"
    elif line["item"] == FIXED:
        how = f"{quantity} × {details['yuan_month']} yuan/month"
    elif "steps" in details:
        mean = details["mean_mg_l"] or "–"
        how = (
            f"(mean {mean} − {details['above']}) ÷ {details['step']} mg/L = {details['steps']} steps"
            f" ({details['partial_step']}) × {details['yuan_m3']} yuan/m3 × {quantity}"
        )
    else:
        how = ", ".join(f"{key} {value}" for key, value in details.items())
    return Name(f"{line['item']}（资费）：{how} = {amount} 元", f"{line['item']} (tariff): {how} = {amount} yuan")


def _billed(own: Document, full: Document) -> Name:
    difference = full["unmetered_difference"]
    zh = en = ""
    if difference is not None:
        told = f"{difference['inlet_m3']} − {difference['outfalls_m3']} = {difference['difference_m3']} m³"
        zh = f"；进水 − 各排放口 = {told}，规则 {difference['rule']}"
        en = f"; inlet − outfalls = {told}, rule {difference['rule']}"
    sum_ = f"{own['measured_m3']} + {own['unmetered_m3']} = {own['billed_m3']} m³"
    return Name(
        f"计费水量：计量 + 未计量差额 = {sum_}{zh}", f"Billed volume: measured + part of the difference = {sum_}{en}"
    )


def _load(parameter: str, load: Document, own: Document) -> Name:
    if load["mean_mg_l"] is None:
        return Name(f"{parameter}：本期无有效均值，不计负荷", f"{parameter}: no valid mean in the period, so no load")
    told = f"{load['mean_mg_l']} mg/L × {own['measured_m3']} m³ = {load['load_kg']} kg"
    return Name(f"{parameter}：流量加权均值 × 计量水量 = {told}", f"{parameter}: flow-weighted mean × volume = {told}")


def _volume(volume: Document, registers: Sequence[str]) -> list[Name]:
    zh, en = _METHOD.get(volume["method"], (volume["method"], volume["method"]))
    point, m3 = volume["point"], volume["volume_m3"]
    lines = [Name(f"{point}：{zh}，{m3} m³", f"{point}: {en}, {m3} m³")]
    if volume["start_register"] and volume["end_register"]:
        unit = volume["register_unit"]
        told = (
            f"{volume['start_register']} {unit} ({volume['start_time']})"
            f" → {volume['end_register']} {unit} ({volume['end_time']})"
        )
        lines.append(Name(f"  表底：{told}", f"  registers: {told}"))
    parts = f"{volume['from_registers_m3']} + {volume['from_flow_m3']} = {volume['volume_m3']} m³"
    if volume["method"] == "totaliser":
        lines.append(Name(f"  表底计得 + 流量积分 = {parts}", f"  by registers + by the flow = {parts}"))
    for jump in volume["jumps"]:
        told = f"{jump['start_register']} ({jump['start_time']}) → {jump['end_register']} ({jump['end_time']})"
        lines.append(
            Name(
                f"  不计的跳变、清零或换表：{told}，以流量积分 {jump['flow_m3']} m³ 代替",
                f"  a jump, reset or exchange: {told}; {jump['flow_m3']} m³ by the flow instead",
            )
        )
    return [*lines, *(Name(f"  读数：{text}", f"  reading: {text}") for text in registers)]


def _meters(told: Document) -> Name:
    days, wrong = told["days_compared"], ", ".join(told["days_beyond_tolerance"])
    figures = f"{told['flow_m3']} − {told['register_m3']} = {told['difference_m3']} m³"
    zh, en = (f"；超过允许差：{wrong}", f"; beyond the tolerance: {wrong}") if wrong else ("", "")
    return Name(
        f"  流量积分 − 表底（{days} 天可比）：{figures}{zh}", f"  flow − register on {days} days: {figures}{en}"
    )


def _inputs(full: Document) -> Name:
    digest, plant = full["inputs"]["digest"][:16], full["plant"]["digest"][:16]
    rule, count = full["rule_version"], full["inputs"]["readings_count"]
    return Name(
        f"依据：规则 {rule}，plant.yaml {plant}，{count} 条读数；输入摘要 {digest}",
        f"Rests on: rule {rule}, plant.yaml {plant}, {count} readings; digest of the inputs {digest}",
    )
