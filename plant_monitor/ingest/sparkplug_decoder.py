"""Sparkplug B messages of one station to readings: births explain aliases, sequence numbers show what is missing.

We only read: nothing is sent to a node unless the plant says ``rebirth: true``; then a node whose birth is
not known is asked for it. Births and data both are readings, at the time their metrics state. Deaths and
commands hold none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import structlog

from plant_monitor.errors import DecodeError
from plant_monitor.ingest.births import NODE, Births, EdgeNode, Table, find_datatype
from plant_monitor.ingest.decoding import (
    Columns,
    Decoded,
    Decoder,
    Incoming,
    Target,
    decoded,
    out_of_bounds,
    oversized,
    plain,
    refusal,
    shown,
    targets,
)
from plant_monitor.ingest.sparkplug import (
    NAMESPACE,
    Metric,
    Payload,
    Topic,
    mark_of,
    number_of,
    parse_payload,
    parse_topic,
    rebirth_request,
)
from plant_monitor.ingest.topics import filled, matched, point_pattern
from plant_monitor.payload_maps import SparkplugMapping, SparkplugMetric
from plant_monitor.plant import MqttStation, Plant
from plant_monitor.readings import Readings

log = structlog.get_logger()

REBIRTH_EVERY_MS = 60_000  # a node is asked no more often
_ALIASES_SHOWN = 5


class SparkplugDecoder(Decoder):
    """Messages of one station. ``births``: the file where birth certificates are kept; None: in memory only."""

    def __init__(
        self, station: MqttStation, mapping: SparkplugMapping, plant: Plant, births: Path | None = None
    ) -> None:
        self._station, self._mapping = station, mapping
        self._points = dict(mapping.points)
        self._declared = frozenset(plant.point_by_id)
        self._metrics: dict[str, list[_Mapped]] = {}
        for metric in sorted(mapping.metrics, key=lambda m: (m.node is None) + (m.device is None)):
            self._metrics.setdefault(metric.name, []).append(_Mapped(metric, plant))
        self.births = Births(births)
        self._counts = dict.fromkeys(("births", "deaths", "gaps", "missing", "historical", "commands"), 0)
        self._outgoing: list[tuple[str, bytes]] = []
        self._asked_ms: dict[tuple[str, str], int] = {}

    def decode(self, message: Incoming) -> Decoded:
        """The readings of a message; never raises."""
        return self._decode(message, learn=True)

    def again(self, message: Incoming) -> Decoded:
        """The same for what was kept apart once: nothing is learnt from it, and an alias is trusted only if births
        before and after that time said the same."""
        return self._decode(message, learn=False)

    def session_lost(self) -> None:
        """The broker no longer has our session: deaths may be missing."""
        self.births.distrust()

    def outgoing(self) -> Sequence[tuple[str, bytes]]:
        """Requests for rebirth; each is given once."""
        given, self._outgoing = self._outgoing, []
        return given

    def health(self) -> Mapping[str, int]:
        """Counters since start: births, deaths, gaps in the sequence and messages missing in them, …"""
        return dict(self._counts)

    # --- one message -------------------------------------------------------------------------------

    def _decode(self, message: Incoming, *, learn: bool) -> Decoded:
        if (refused := oversized(message)) is not None:
            return refused
        try:
            topic = parse_topic(message.topic)
            if topic.kind.endswith("CMD"):
                self._counts["commands"] += learn
                return Decoded(Readings.empty())
            # A death counts whatever it holds: brokers keep it for a node that could not say more.
            empty = not message.payload and topic.kind.endswith("DEATH")
            payload = Payload() if empty else parse_payload(message.payload)
        except DecodeError as error:
            return refusal(message.payload, message.topic, [str(error)], message.arrival_ms)
        node = self.births.node(topic.group, topic.node)
        if learn:
            self._learn(topic, node, payload, message)
        if topic.kind.endswith("DEATH"):
            return Decoded(Readings.empty())
        columns = Columns()
        self._take_metrics(topic, node, payload, message, columns, learn=learn)
        return decoded(columns, message)

    def _learn(self, topic: Topic, node: EdgeNode, payload: Payload, message: Incoming) -> None:
        """Births, deaths, and what is missing in between."""
        if payload.seq is not None and topic.kind != "NDEATH":
            if topic.kind == "NBIRTH":
                node.sequence.last = None
            missing = node.sequence.follow(payload.seq, payload.timestamp or 0, message.repeated)
            if missing:
                self._gap(topic, missing)
        if topic.kind.endswith("BIRTH"):
            self._counts["births"] += 1
            self.births.born(node, topic.device, payload)
        elif topic.kind.endswith("DEATH") and self.births.died(node, topic.device, payload.bdseq):
            self._counts["deaths"] += 1
            log.warning("a Sparkplug node or device died", station=self._station.id, topic=message.topic)

    def _gap(self, topic: Topic, missing: int) -> None:
        first = self._counts["gaps"] == 0
        self._counts["gaps"] += 1
        self._counts["missing"] += missing
        say = log.warning if first else log.debug  # health counts them
        say("Sparkplug messages are missing", station=self._station.id, node=topic.node, at_least=missing)

    # --- metrics -----------------------------------------------------------------------------------

    def _take_metrics(
        self, topic: Topic, node: EdgeNode, payload: Payload, message: Incoming, columns: Columns, *, learn: bool
    ) -> None:
        table = node.tables.get(topic.device or NODE)
        unknown: list[int] = []
        by_alias = topic.kind.endswith("DATA")  # a birth explains aliases and must not need them
        for metric in payload.metrics:
            name = metric.name
            if name is None and metric.alias is not None and by_alias:
                name = self._named(table, metric.alias, payload, learn=learn)
            if name is None:
                unknown.append(-1 if metric.alias is None else metric.alias)
                continue
            for mapped in self._metrics.get(name, ()):
                if mapped.is_of(topic):
                    self._counts["historical"] += metric.historical and learn
                    self._take(mapped, metric, find_datatype(table, metric, name), topic, payload, message, columns)
                    break
        if unknown:
            columns.problems.append(_unknown(unknown, table, topic))
            if learn:
                self._ask(topic, message.arrival_ms)

    def _named(self, table: Table | None, alias: int, payload: Payload, *, learn: bool) -> str | None:
        """The name behind an alias; None where it is not known for sure."""
        if table is None or not table.valid:
            return None
        if not learn and (payload.timestamp or 0) < table.since_ms:
            return None
        named = table.by_alias.get(alias)
        return None if named is None else named[0]

    def _take(
        self,
        mapped: _Mapped,
        metric: Metric,
        datatype: int | None,
        topic: Topic,
        payload: Payload,
        message: Incoming,
        columns: Columns,
    ) -> None:
        name = plain(mapped.mapping.name)
        number = number_of(metric, datatype)
        time = payload.timestamp if metric.timestamp is None else metric.timestamp
        if isinstance(number, str):
            columns.problems.append(f"{name}: {number}")
            return
        wrong = "nothing" if time is None else out_of_bounds(time, message, time)
        if time is None or wrong is not None:
            columns.problems.append(f"{name}: time: {wrong}")
            return
        point = self._point(mapped, topic, message.topic)
        target = mapped.targets.get(point)
        if target is None:
            unknown = point not in self._declared
            wrong = f"unknown point {shown(point)}" if unknown else f"{point} has no such {mapped.mapping.parameter}"
            columns.problems.append(f"{name}: {wrong}")
            return
        columns.add(time, target.series, target.of(number), mark_of(metric))

    def _point(self, mapped: _Mapped, topic: Topic, text: str) -> str:
        if mapped.mapping.point is not None:
            return mapped.mapping.point
        names = {"group": topic.group, "node": topic.node, "device": topic.device or ""}
        name = filled(point_pattern(self._station), matched(self._station, text) or [], names)
        return self._points.get(name, name)

    def _ask(self, topic: Topic, now_ms: int) -> None:
        """Ask a node for its birth, where the plant allows it."""
        key = (topic.group, topic.node)
        if not self._mapping.rebirth or now_ms - self._asked_ms.get(key, -REBIRTH_EVERY_MS) < REBIRTH_EVERY_MS:
            return
        self._asked_ms[key] = now_ms
        self._outgoing.append((f"{NAMESPACE}/{topic.group}/NCMD/{topic.node}", rebirth_request(now_ms)))
        log.info("asking a Sparkplug node for its birth", station=self._station.id, node=topic.node)


class _Mapped:
    """One metric of the mapping, and the series it may go to."""

    def __init__(self, metric: SparkplugMetric, plant: Plant) -> None:
        self.mapping = metric
        self.targets: dict[str, Target] = targets(
            plant, metric.parameter, metric.point, metric.unit, metric.scale, metric.offset
        )

    def is_of(self, topic: Topic) -> bool:
        """Whether it speaks of this node and device."""
        return self.mapping.node in (None, topic.node) and self.mapping.device in (None, topic.device)


def _unknown(aliases: list[int], table: Table | None, topic: Topic) -> str:
    """Why the names of metrics are not known."""
    told = ", ".join(str(alias) if alias >= 0 else "none" for alias in aliases[:_ALIASES_SHOWN])
    who = f"{topic.node}/{topic.device}" if topic.device else topic.node
    which = f"{len(aliases)} metrics by alias ({told}{', …' if len(aliases) > _ALIASES_SHOWN else ''})"
    if table is not None and table.valid:
        return f"{which} that the birth certificate of {shown(who)} does not name, or did not name then"
    return f"{which}, but no birth certificate of {shown(who)} is known that still holds"
