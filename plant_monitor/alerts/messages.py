"""What people are told about an alert, in Chinese and English, short enough for a phone.

Pure: from an alert, what happened to it and the plant to a title and a text. It says what, where, how much
over which limit and standard, since when, whether it is still going on, what to do, and where to do it.
"""

from __future__ import annotations

from datetime import date, datetime

from plant_monitor.alerts.deadlines import Deadlines
from plant_monitor.alerts.envelope import Message
from plant_monitor.alerts.lifecycle import CASES, Change, Exceedance, Kind, Transition
from plant_monitor.plant import Limit, LimitSet, Name, Plant, Statistic
from plant_monitor.windows import local_day

# The steps that people are told of. That an alert grew is in its trail; telling each hour would be noise.
# Nor is what people do to those who did it; an acknowledgement and a close speak for themselves.
TOLD = frozenset(Transition) - {Transition.GREW, Transition.ACKNOWLEDGED, Transition.CLOSED}


def is_told(kind: Kind, transition: Transition) -> bool:
    """True for the steps that people are told of; of a suspect sensor not each further sign, nor that one is past."""
    quiet = kind is Kind.SUSPECT_SENSOR and transition in (Transition.RESUMED, Transition.OVER, Transition.WITHDRAWN)
    return transition in TOLD and not quiet


PARAMETERS: dict[str, Name] = {
    "flow": Name("流量", "flow"),
    "volume": Name("水量", "volume"),
    "ph": Name("pH", "pH"),
    "water_temperature": Name("水温", "water temperature"),
    "conductivity": Name("电导率", "conductivity"),
    "cod_cr": Name("化学需氧量", "COD"),
    "bod5": Name("五日生化需氧量", "BOD5"),
    "ss": Name("悬浮物", "suspended solids"),
    "ammonia_n": Name("氨氮", "ammonia nitrogen"),
    "total_n": Name("总氮", "total nitrogen"),
    "total_p": Name("总磷", "total phosphorus"),
    "chloride": Name("氯化物", "chloride"),
    "animal_vegetable_oil": Name("动植物油", "animal and vegetable oil"),
    "dissolved_oxygen": Name("溶解氧", "dissolved oxygen"),
}

_HEADLINES = {
    Transition.OPENED: Name("超标", "EXCEEDED"),
    Transition.RESUMED: Name("再次超标", "EXCEEDED AGAIN"),
    Transition.OVER: Name("超标结束", "OVER"),
    Transition.WITHDRAWN: Name("超标撤销", "WITHDRAWN"),
    Transition.UNACKNOWLEDGED: Name("无人确认", "NOT ACKNOWLEDGED"),
    Transition.REMINDED: Name("催办", "ANSWER DUE SOON"),
    Transition.OVERDUE: Name("逾期未答复", "ANSWER OVERDUE"),
    Transition.UNMUTED: Name("静默结束,仍未办结", "STILL OPEN AFTER A MUTE"),
    Transition.ASSIGNED: Name("交办", "ASSIGNED"),
    Transition.REPLIED: Name("已答复", "ANSWERED"),
    Transition.REOPENED: Name("不满意退回", "NOT SATISFIED"),
}

_STATISTICS = {
    Statistic.DAILY_MEAN: Name("日均值", "daily mean"),
    Statistic.HOURLY_MEAN: Name("小时均值", "hourly mean"),
    Statistic.HOURLY_MEDIAN: Name("小时中位值", "hourly median"),
    Statistic.DAILY_LOAD: Name("日负荷", "daily load"),
    Statistic.MONTHLY_MEAN: Name("月均值", "monthly mean"),
}


CASE_ZH = ("期限", "(节假日安排尚未公布，按周一至周五计)", "交给", "说明", "迟报", " 小时(服务中断或数据迟到)")
CASE_EN = (
    "Answer by",
    " (official holidays not known yet: counted by weekdays)",
    "For",
    "Said",
    "Late",
    " h (the service was down, or the data came late)",
)
# What to do, by the step; of a warning that is new, by its kind.
_ACKNOWLEDGE = Name("请确认告警,查明原因", "acknowledge, and find the cause")
_ANSWER = Name("请答复原因与已采取的措施", "answer with the cause and what was done")
_TO_DO = {
    Transition.OPENED: _ACKNOWLEDGE,
    Transition.RESUMED: _ACKNOWLEDGE,
    Transition.UNACKNOWLEDGED: _ACKNOWLEDGE,
    Transition.UNMUTED: _ACKNOWLEDGE,
    Transition.ASSIGNED: _ANSWER,
    Transition.REMINDED: _ANSWER,
    Transition.OVERDUE: _ANSWER,
    Transition.REOPENED: _ANSWER,
    Transition.REPLIED: Name("请阅答复:满意则办结,不满意则退回", "read the answer; close it, or send it back"),
}
_TO_DO_AT_FIRST = {
    Kind.HOUR_ABOVE_LIMIT: Name("请查明来水,防止日均值超标", "look at what comes in, before the day exceeds"),
    Kind.ON_COURSE: Name("请按依据所示降低浓度或流量", "lower strength or flow as the evidence says"),
    Kind.OVER_RANGE: Name("请核对仪表量程与水质", "check the instrument's range and the water"),
    Kind.SILENCE: Name("请检查仪表、供电与通讯", "check instrument, power and line"),
    Kind.SILENT_DEVICE: Name("请检查设备、供电与通讯", "check device, power and line"),
    Kind.SUSPECT_SENSOR: Name("请核对或校准仪表;确有故障则加标注", "check or calibrate; annotate what is wrong"),
    Kind.HEADROOM: Name("请减少排水或错峰排放", "send less, or at another time"),
    Kind.UNRECONCILED_DIFFERENCE: Name("请核对进水口与各排放口表底", "compare the registers of inlet and outfalls"),
    Kind.ENQUIRY: Name("请答复", "answer"),
    Kind.OBJECTION: Name("请核实后作出决定", "look into it and decide"),
}
LATE_MS = 1_800_000  # after the end of what is told; within it a verdict is given and told


def message(change: Change, plant: Plant, language: str, until: Deadlines | None = None) -> Message:
    """The message about a step of an alert, in a language (zh, en, both); ``until``: the alert's deadlines."""
    languages = ("zh", "en") if language == "both" else (language,)
    kind = change.alert.kind
    facts = (_Facts if kind is Kind.EXCEEDANCE else _Case if kind in CASES else _Warning)(change, plant, until)
    titles = [facts.zh_title() if x == "zh" else facts.en_title() for x in languages]
    bodies = [facts.zh_body() if x == "zh" else facts.en_body() for x in languages]
    return Message(" / ".join(titles), "\n\n".join(bodies))


def number(value: float, other: float | None = None) -> str:
    """Four significant digits and all before the point; more only where ``other`` would look the same."""
    least = max(4, len(str(int(abs(value)))))
    for digits in range(least, 18):
        text = f"{value:.{digits}g}"
        if other is None or value == other or text != f"{other:.{digits}g}":
            break
    return text


class _Facts:
    """What both languages say."""

    def __init__(self, change: Change, plant: Plant, until: Deadlines | None) -> None:
        alert, transition = change.alert, change.transition
        self.change, self.until = change, until
        self.alert, self.transition, self.plant = alert, transition, plant
        self.worst = alert.told
        self.headline = _HEADLINES.get(transition, Name(str(transition), str(transition)))
        self.parameter = PARAMETERS.get(alert.parameter, Name(alert.parameter, alert.parameter))
        known = self.worst.statistic in [str(s) for s in Statistic]
        self.statistic = _STATISTICS[Statistic(self.worst.statistic)] if known else Name("", "")
        self.windows = _windows(alert.windows, self.worst.statistic)
        self.where = _place(alert.point, plant)
        self.rule = plant.limit_set_by_id.get(alert.limit_set)
        self.clause = _clause(self.rule, self.worst, plant)
        self.peak = _with_unit(number(self.worst.peak, self.worst.limit), self.worst.unit)
        self.limit = _with_unit(number(self.worst.limit, self.worst.peak), self.worst.unit)
        self.sign = "<" if self.worst.peak < self.worst.limit else ">"

    def zh_title(self) -> str:
        return (
            f"【{self.headline.zh}】{self.where.zh} {self.parameter.zh}{self.statistic.zh} "
            f"{self.peak} {self.sign} {self.limit}"
        )

    def en_title(self) -> str:
        return (
            f"[{self.headline.en}] {self.where.en}: {self.parameter.en}, {self.statistic.en} "
            f"{self.peak} {self.sign} {self.limit}"
        )

    def zh_body(self) -> str:
        ratio = "" if self.worst.peak_ratio is None else f"({number(self.worst.peak_ratio, 1.0)} 倍)"
        windows = self.windows.zh
        if self.transition is Transition.WITHDRAWN:
            status = "数据更正后,不再超标"
        elif self.alert.ongoing:
            status = f"仍在持续(截至 {self._time(self.alert.until_ms)},累计 {windows})"
        else:
            status = f"已于 {self._time(self.alert.until_ms)} 结束(累计 {windows})"
        lines = [
            f"地点:{self.where.zh}({self.alert.point}),{self.plant.name.zh}",
            f"因子:{self.parameter.zh},{self.statistic.zh}",
            f"峰值:{self.peak},{'低于下限' if self.sign == '<' else '超过限值'} {self.limit}{ratio}",
            f"依据:{self.rule.title.zh if self.rule else self.alert.limit_set}{self.clause}",
            f"开始:{self._time(self.alert.since_ms)}",
            f"状态:{status}",
        ]
        return "\n".join([*lines, *self._case(CASE_ZH, ":"), *self._end("处理:", "编号:")])

    def en_body(self) -> str:
        ratio = "" if self.worst.peak_ratio is None else f" ({number(self.worst.peak_ratio, 1.0)} times)"
        windows = self.windows.en
        if self.transition is Transition.WITHDRAWN:
            status = "corrected data no longer show an exceedance"
        elif self.alert.ongoing:
            status = f"still going on (up to {self._time(self.alert.until_ms)}, {windows} so far)"
        else:
            status = f"over since {self._time(self.alert.until_ms)} ({windows})"
        lines = [
            f"Where: {self.where.en} ({self.alert.point}), {self.plant.name.en}",
            f"What: {self.parameter.en}, {self.statistic.en}",
            f"Peak: {self.peak}, {'below' if self.sign == '<' else 'above'} the limit of {self.limit}{ratio}",
            f"Rule: {self.rule.title.en if self.rule else self.alert.limit_set}{self.clause}",
            f"Since: {self._time(self.alert.since_ms)}",
            f"Status: {status}",
        ]
        return "\n".join([*lines, *self._case(CASE_EN, ": "), *self._end("To do: ", "Alert: ")])

    def _case(self, words: tuple[str, str, str, str, str, str], colon: str) -> list[str]:
        """How late it is told, until when somebody has to answer, who, and what was said with the step."""
        answer_by, uncertain, assignee, said, late, hours = words
        lines = []
        behind_ms = self.change.time_ms - self.worst.end_ms
        if self.transition is Transition.OPENED and self.alert.kind not in CASES and behind_ms > LATE_MS:
            lines.append(f"{late}{colon}{number(behind_ms / 3_600_000)}{hours}")
        if self.until is not None and self.until.answer_ms is not None:
            certain = "" if self.until.certain else uncertain
            lines.append(f"{answer_by}{colon}{self._time(self.until.answer_ms)}{certain}")
        if self.alert.assignee:
            lines.append(f"{assignee}{colon}{self.alert.assignee}")
        if self.change.comment:
            lines.append(f"{said}{colon}{self.change.comment}")
        return lines

    def _end(self, to_do: str, label: str) -> list[str]:
        """What to do, the alert's number, and where it is to be seen."""
        at_first = self.transition in (Transition.OPENED, Transition.RESUMED)
        todo = (_TO_DO_AT_FIRST.get(self.alert.kind) if at_first else None) or _TO_DO.get(self.transition)
        lines = [] if todo is None else [f"{to_do}{todo.zh if to_do == '处理:' else todo.en}"]
        if self.alert.id:
            lines.append(f"{label}#{self.alert.id}")
            if self.plant.notify.console is not None:
                lines.append(f"{self.plant.notify.console}/console/case/{self.alert.id}")
        return lines

    def _time(self, time_ms: int) -> str:
        moment = datetime.fromtimestamp(time_ms // 1000, self.plant.zone)
        return f"{moment:%Y-%m-%d %H:%M}"


_WARNINGS = {
    Kind.HOUR_ABOVE_LIMIT: Name("小时均值超日限值", "hour above the daily limit"),
    Kind.ON_COURSE: Name("当日预计超标", "day on course to exceed"),
    Kind.OVER_RANGE: Name("超量程", "over range"),
    Kind.SILENCE: Name("无数据", "silent"),
    Kind.SILENT_DEVICE: Name("无任何数据", "nothing comes"),
    Kind.SUSPECT_SENSOR: Name("仪表可疑", "suspect sensor"),
    Kind.HEADROOM: Name("超过允许量", "more than is allowed"),
    Kind.UNRECONCILED_DIFFERENCE: Name("进出水量不符", "inlet and outfalls differ"),
}

_STEPS = {
    Transition.OPENED: Name("预警", "WARNING"),
    Transition.RESUMED: Name("再次预警", "WARNING AGAIN"),
    Transition.OVER: Name("预警解除", "WARNING OVER"),
    Transition.WITHDRAWN: Name("预警撤销", "WARNING WITHDRAWN"),
}


class _Warning(_Facts):
    """A warning: what it rests on instead of a peak, and that it is no verdict."""

    def __init__(self, change: Change, plant: Plant, until: Deadlines | None) -> None:
        super().__init__(change, plant, until)
        self.step = _STEPS.get(self.transition, self.headline)
        self.what = _WARNINGS[self.alert.kind]
        self.evidence = self.worst.evidence or Name("", "")
        member = plant.member_by_id.get(self.alert.member)
        if member is not None:
            self.where = member.name
        elif self.alert.subject:  # a device, or whatever else is no series
            self.parameter = Name(self.alert.subject, self.alert.subject)

    def zh_title(self) -> str:
        return f"【{self.step.zh}】{self.where.zh} {self.parameter.zh} {self.what.zh}"

    def en_title(self) -> str:
        return f"[{self.step.en}] {self.where.en}: {self.parameter.en}, {self.what.en}"

    def zh_body(self) -> str:
        state = "仍在持续" if self.worst.ongoing else "已结束"
        lines = [
            f"地点:{self.where.zh}{f'({self.alert.point}),{self.plant.name.zh}' if self.alert.point else ''}",
            f"预警:{self.parameter.zh},{self.what.zh}",
            f"依据:{self.evidence.zh}",
            *([f"限值集:{self.rule.title.zh}{self.clause}"] if self.rule else []),
            f"时段:{self._time(self.worst.start_ms)} 至 {self._time(self.worst.end_ms)},{state}",
        ]
        return "\n".join([*lines, "预警不是超标判定。", *self._case(CASE_ZH, ":"), *self._end("处理:", "编号:")])

    def en_body(self) -> str:
        state = "still going on" if self.worst.ongoing else "over"
        lines = [
            f"Where: {self.where.en}{f' ({self.alert.point}), {self.plant.name.en}' if self.alert.point else ''}",
            f"Warning: {self.parameter.en}, {self.what.en}",
            f"Evidence: {self.evidence.en}",
            *([f"Rule: {self.rule.title.en}{self.clause}"] if self.rule else []),
            f"Seen: {self._time(self.worst.start_ms)} to {self._time(self.worst.end_ms)}, {state}",
        ]
        return "\n".join(
            [*lines, "A warning is no verdict.", *self._case(CASE_EN, ": "), *self._end("To do: ", "Alert: ")]
        )


_CASES = {Kind.ENQUIRY: Name("咨询", "ENQUIRY"), Kind.OBJECTION: Name("异议", "OBJECTION")}


class _Case(_Facts):
    """What a person opened: by whom, about what, in which words."""

    def __init__(self, change: Change, plant: Plant, until: Deadlines | None) -> None:
        super().__init__(change, plant, until)
        self.kind, said = _CASES[self.alert.kind], self.worst.evidence or Name("", "")
        self.opened = self.transition is Transition.OPENED
        self.text = "" if self.opened else said.zh  # on opening it is what was said with the step
        member = plant.member_by_id.get(self.alert.member)
        self.by = member.name if member is not None else None

    def zh_title(self) -> str:
        return f"【{self.kind.zh}{'' if self.opened else '·' + self.headline.zh}】{self.alert.subject}"

    def en_title(self) -> str:
        return f"[{self.kind.en}{'' if self.opened else ', ' + self.headline.en}] {self.alert.subject}"

    def zh_body(self) -> str:
        lines = [f"事由:{self.alert.subject}"]
        lines += [f"提出:{self.by.zh}"] if self.by else []
        lines += [f"地点:{self.where.zh}({self.alert.point})"] if self.alert.point else []
        lines += [f"因子:{self.parameter.zh}"] if self.alert.parameter else []
        lines += [f"内容:{self.text}"] if self.text else []
        return "\n".join([*lines, *self._case(CASE_ZH, ":"), *self._end("处理:", "编号:")])

    def en_body(self) -> str:
        lines = [f"About: {self.alert.subject}"]
        lines += [f"From: {self.by.en}"] if self.by else []
        lines += [f"Where: {self.where.en} ({self.alert.point})"] if self.alert.point else []
        lines += [f"What: {self.parameter.en}"] if self.alert.parameter else []
        lines += [f"Text: {self.text}"] if self.text else []
        return "\n".join([*lines, *self._case(CASE_EN, ": "), *self._end("To do: ", "Case: ")])


def _windows(count: int, statistic: str) -> Name:
    """``3 hours``, by what the statistic is of."""
    unit = Name("天", "day")
    if statistic.startswith("hourly"):
        unit = Name("小时", "hour")
    elif statistic == Statistic.MONTHLY_MEAN:
        unit = Name("个月", "month")
    return Name(f"{count} {unit.zh}", f"{count} {unit.en}{'' if count == 1 else 's'}")


def _place(point_id: str, plant: Plant) -> Name:
    if not point_id:
        return plant.name
    point = plant.point_by_id.get(point_id)
    if point is None:
        return Name(point_id, point_id)
    if point.name is not None:
        return point.name
    member = plant.member_by_id.get(point.member or "")
    return Name(f"{member.name.zh}排放口", f"{member.name.en} outfall") if member else Name(point_id, point_id)


def _clause(rule: LimitSet | None, worst: Exceedance, plant: Plant) -> str:
    """`` (id, clause)`` of the limit that was in force on the first exceeded day."""
    if rule is None:
        return ""
    limit = _in_force(rule, worst, local_day(worst.start_ms, plant.zone))
    parts = [rule.id, *([limit.clause] if limit is not None and limit.clause else [])]
    return f" ({', '.join(parts)})"


def _in_force(rule: LimitSet, worst: Exceedance, day: date) -> Limit | None:
    mine = [x for x in rule.limits if x.parameter == worst.parameter and str(x.statistic) == worst.statistic]
    dated = [x for x in mine if x.in_force(day)]
    return max(dated, key=lambda x: (x.valid_from is not None, x.valid_from or date.min), default=None)


def _with_unit(text: str, unit: str) -> str:
    return f"{text} {unit}" if unit not in ("", "1") else text
