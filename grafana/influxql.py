"""An InfluxQL query as a Grafana target. The SDK has builders for panels, but no InfluxDB query class."""

from __future__ import annotations

from typing import Any

from grafana_foundation_sdk.cog import builder as cogbuilder
from grafana_foundation_sdk.cog import variants
from grafana_foundation_sdk.models.dashboard import DataSourceRef

READINGS = DataSourceRef(type_val="influxdb", uid="plant-monitor-readings")
RESULTS = DataSourceRef(type_val="influxdb", uid="plant-monitor-results")


class InfluxQL(variants.Dataquery, cogbuilder.Builder[variants.Dataquery]):
    """One raw InfluxQL query; ``table`` gives rows instead of series, ``alias`` names the series."""

    def __init__(
        self, source: DataSourceRef, query: str, *, ref: str = "A", alias: str = "", table: bool = False
    ) -> None:
        self._json: dict[str, Any] = {
            "datasource": source.to_json(),
            "query": query,
            "rawQuery": True,
            "refId": ref,
            "resultFormat": "table" if table else "time_series",
        }
        if alias:
            self._json["alias"] = alias

    def build(self) -> InfluxQL:
        """The query is its own builder."""
        return self

    def to_json(self) -> dict[str, Any]:
        """As it stands in the dashboard."""
        return self._json


def quoted(text: str) -> str:
    """A string literal."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def any_of(tag: str, values: list[str]) -> str:
    """``tag`` is one of the values."""
    return "(" + " OR ".join(f'"{tag}" = {quoted(value)}' for value in values) + ")"
