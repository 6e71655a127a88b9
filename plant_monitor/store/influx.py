"""One InfluxDB server, spoken to through influxdb-client: writing lines, asking InfluxQL, and what its errors mean.

Nothing here is a buffer, and influxdb-client's batching writer is not used, since it drops data after its
retries: readings wait in the journal's outbox until the server has taken them.
"""

from __future__ import annotations

import base64
import gzip
import json
import re
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any

import urllib3
from influxdb_client.client.influxdb_client import InfluxDBClient
from influxdb_client.rest import ApiException

from plant_monitor.errors import StoreError, StoreUnavailable
from plant_monitor.plant import InfluxSettings

_TOLD = 500  # characters of a server's answer that are kept as the reason


class LinesRefused(StoreError):
    """The server understood the request and refuses lines in it; the good ones it may have kept."""


class TooLarge(LinesRefused):
    """The request has more lines than the server takes at once."""


class ServerBusy(StoreUnavailable):
    """The server asks us to come back later; ``after_s`` seconds, None where it does not say when."""

    def __init__(self, message: str, after_s: float | None) -> None:
        self.after_s = after_s
        super().__init__(message)


class Misconfigured(StoreUnavailable):
    """The server lets us not in, or the database is not there: a person has to put it right. Nothing is dropped."""


class QueryRefused(StoreError):
    """The server does not answer this statement."""


@dataclass(frozen=True, slots=True)
class Version:
    """What a server says it is: ``1.6.7``, ``2.7.11``, ``3.1.0`` and ``OSS``, ``Core``, ``Enterprise``."""

    number: str
    build: str

    @property
    def major(self) -> int:
        """1, 2, 3; 0 where the server does not say (InfluxDB Cloud does not)."""
        found = re.match(r"v?([0-9]+)\.", self.number)
        return int(found[1]) if found else 0

    @property
    def is_core(self) -> bool:
        """InfluxDB 3 Core, which answers queries of about 72 hours only."""
        return self.major >= 3 and self.build.lower() not in ("enterprise", "cloud")

    def __str__(self) -> str:
        return f"InfluxDB {self.number or 'of unknown version'} {self.build}".strip()


class InfluxServer:
    """One InfluxDB.

    ``api: v2`` writes to ``/api/v2/write`` with a token, ``api: v1`` to ``/write`` with user and password;
    queries are InfluxQL over ``/query`` in both.
    """

    def __init__(self, settings: InfluxSettings, *, timeout_s: float = 20.0) -> None:
        self.settings = settings
        timeout_ms = round(timeout_s * 1000)
        self.client = InfluxDBClient(settings.url, token=settings.token or "", org=settings.org, timeout=timeout_ms)
        self._authorization = _authorization(settings)
        self._seen: set[str] = set()  # databases that are there

    def close(self) -> None:
        """Give the connections back."""
        self.client.close()

    def write(self, bucket: str, lines: bytes) -> None:
        """Write lines (times in ms) in one gzip request.

        Raises
        ------
        LinesRefused      some lines are refused (the rest may be stored)
        StoreUnavailable  not reachable, busy, or not allowed: nothing is lost, try again later
        """
        self.write_packed(bucket, gzip.compress(lines, compresslevel=1))

    def write_packed(self, bucket: str, packed: bytes) -> None:
        """:meth:`write` of lines that are gzipped already."""
        if self.settings.api == "v1":
            path, query = "/write", [("db", bucket), ("precision", "ms")]
        else:
            path, query = "/api/v2/write", [("org", self.settings.org), ("bucket", bucket), ("precision", "ms")]
        headers = {"Content-Type": "text/plain; charset=utf-8", "Content-Encoding": "gzip"}
        try:
            self._call("POST", path, query, headers, packed)
        except ApiException as error:
            raise _write_error(error, f"{self.settings.url}{path}", bucket) from error

    def query(self, bucket: str, influxql: str) -> str:
        """The answer to one InfluxQL statement, as CSV with times in ms.

        Raises
        ------
        QueryRefused      the server does not answer it
        StoreUnavailable  not reachable, busy, or not allowed
        """
        answer = self._ask(bucket, influxql, "application/csv")
        if not answer and bucket not in self._seen:
            self._see(bucket)
        return answer

    def _see(self, bucket: str) -> None:
        """As CSV a database that is not there answers like an empty one; as JSON they are told apart."""
        self.table(bucket, "SHOW MEASUREMENTS LIMIT 1")
        self._seen.add(bucket)

    def table(self, bucket: str, influxql: str) -> list[dict[str, Any]]:
        """The rows of the answer to one short InfluxQL statement, by column.

        Raises
        ------
        QueryRefused      the server does not answer it in JSON
        StoreUnavailable  not reachable, busy, not allowed, or it says what is amiss
        """
        answer = self._ask(bucket, influxql, "application/json")
        try:
            (result,) = json.loads(answer)["results"]
            if "error" in result:
                raise Misconfigured(f"{self.settings.url}/query: {str(result['error'])[:_TOLD]}; {_SETUP}")
            series = result.get("series", ())
            return [dict(zip(one["columns"], row, strict=True)) for one in series for row in one.get("values", ())]
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise QueryRefused(f"{self.settings.url}/query answered {answer[:_TOLD]!r}, expected JSON") from error

    def api(self, method: str, path: str, query: dict[str, str], body: Any = None) -> Any:
        """The answer of the HTTP API of 2.x, ``/api/v2``; None where there is no such thing (404).

        Raises
        ------
        QueryRefused      the server does not do it
        StoreUnavailable  not reachable, busy, or not allowed
        """
        headers = {"Accept": "application/json", "Content-Type": "application/json"}
        try:
            answer, _ = self._call(method, path, list(query.items()), headers, body)
            return json.loads(answer)
        except ApiException as error:
            if error.status == 404:
                return None
            raise _query_error(error, f"{self.settings.url}{path}", "") from error
        except ValueError as error:
            raise QueryRefused(f"{self.settings.url}{path} did not answer in JSON") from error

    def _ask(self, bucket: str, influxql: str, accept: str) -> str:
        query = [("db", bucket), ("q", influxql), ("epoch", "ms")]
        method = "GET" if influxql.lstrip().upper().startswith(("SELECT", "SHOW")) else "POST"
        try:
            answer, _ = self._call(method, "/query", query, {"Accept": accept})
        except ApiException as error:
            raise _query_error(error, f"{self.settings.url}/query", bucket) from error
        return answer

    def version(self) -> Version:
        """What the server says it is.

        Raises
        ------
        StoreUnavailable  not reachable
        """
        try:
            _, headers = self._call("GET", "/ping", [], {})
        except ApiException as error:  # 3.x asks for a token here too
            raise _query_error(error, f"{self.settings.url}/ping", "") from error
        return Version(headers.get("x-influxdb-version", "").removeprefix("v"), headers.get("x-influxdb-build", ""))

    def _call(
        self, method: str, path: str, query: list[tuple[str, str]], headers: dict[str, str], body: Any = None
    ) -> tuple[str, dict[str, str]]:
        """The text and the headers of an answer, the names of headers in small letters."""
        try:
            answer = self.client.api_client.call_api(
                path,
                method,
                query_params=query,
                header_params={**headers, **self._authorization},
                body=body,
                _preload_content=False,  # else the client takes CSV and JSON apart before we see them
                _return_http_data_only=True,
            )
            text = answer.data.decode(errors="replace")
        except ApiException:
            raise
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise StoreUnavailable(f"{self.settings.url} is not reachable: {type(error).__name__}: {error}") from error
        return text, {str(k).lower(): str(v) for k, v in answer.headers.items()}


def quoted(text: str) -> str:
    """The content of an InfluxQL string literal."""
    return text.replace("\\", "\\\\").replace("'", "\\'")


_SETUP = "`plant-monitor influx setup PLANT.yaml` creates what is missing"


def _authorization(settings: InfluxSettings) -> dict[str, str]:
    """The header that says who we are; none where nothing is configured."""
    if settings.api == "v1" and settings.username:
        pair = f"{settings.username}:{settings.password or ''}".encode()
        return {"Authorization": f"Basic {base64.b64encode(pair).decode()}"}
    return {"Authorization": f"Token {settings.token}"} if settings.token else {}


def _write_error(error: ApiException, where: str, bucket: str) -> StoreError:
    if error.status in (400, 422):
        return LinesRefused(reason_of(error))
    if error.status == 413:
        return TooLarge(f"the request is too large for the server: {reason_of(error)}")
    return _other_error(error, where, bucket)


def _query_error(error: ApiException, where: str, bucket: str) -> StoreError:
    if error.status in (400, 405, 422):
        return QueryRefused(f"{where} answered {error.status}: {reason_of(error)}")
    return _other_error(error, where, bucket)


def _other_error(error: ApiException, where: str, bucket: str) -> StoreUnavailable:
    told = f"{where} answered {error.status}: {reason_of(error)}"
    if error.status in (401, 403):
        return Misconfigured(f"{told}; expected a token, or user and password, that may use {bucket or 'it'}")
    if error.status == 404:
        old = "/api/v2/" in where and "page not found" in told
        return Misconfigured(f"{told}; {'expected api: v1 for this server' if old else _SETUP}")
    if error.status in (429, 503):
        return ServerBusy(told, _retry_after_s(error))
    return StoreUnavailable(told)


def reason_of(error: ApiException) -> str:
    """The server's own words."""
    body = error.body
    text = body.decode(errors="replace") if isinstance(body, bytes) else str(body or error.reason)
    return text.strip()[:_TOLD]


def _retry_after_s(error: ApiException) -> float | None:
    """Seconds that the header Retry-After asks for, whether as a number or as a date."""
    headers: Any = error.headers or {}
    asked = str(headers.get("Retry-After", "")).strip()
    if asked.isdigit():
        return float(asked)
    try:
        return max(0.0, (parsedate_to_datetime(asked) - parsedate_to_datetime(headers.get("Date", ""))).total_seconds())
    except (TypeError, ValueError):
        return None
