"""What the two buckets need at an InfluxDB (design §4.7), seen and made: for ``influx setup`` and ``doctor``.

Nothing is ever dropped, and no retention is shortened: that would drop data. Where more is kept than the design
asks for, it is said and left.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from plant_monitor.store.influx import InfluxServer, Misconfigured, QueryRefused

DAY_S = 86_400
READINGS_DAYS = 400  # results: no expiry
_FOR_EVER = 0


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing about the server: how it is, and how to bring it to what is needed; None: it is right, or not ours."""

    is_: str
    becomes: str = ""
    make: Callable[[], object] | None = None


def set_up(server: InfluxServer) -> list[str]:
    """Make what is missing; a line for each thing that is now so. Done again it changes nothing.

    Raises
    ------
    StoreUnavailable  not reachable, or not allowed
    QueryRefused      the server does not do it
    """
    told = []
    for look in _looks(server):
        for finding in look():
            if finding.make is not None:
                finding.make()
            told.append(finding.becomes or finding.is_)
    return told


def shortcomings(server: InfluxServer) -> list[str]:
    """What :func:`set_up` would change, without changing it.

    Raises
    ------
    StoreUnavailable  not reachable, or not allowed
    """
    return [finding.is_ for look in _looks(server) for finding in look() if finding.make is not None]


def _looks(server: InfluxServer) -> list[Callable[[], list[Finding]]]:
    """One look a bucket, each after the one before was put right: two may be the same."""
    settings, version = server.settings, server.version()
    wanted = {settings.bucket: READINGS_DAYS * DAY_S} | {settings.results_bucket: _FOR_EVER}
    if version.major >= 3:
        return [lambda: [Finding(f"{version}: the first write makes the databases, with the retention set there")]]
    if settings.api == "v2" and version.major != 1:  # 1.8 writes at /api/v2 and knows databases all the same
        org = _organisation(server)
        return [lambda n=n, s=s: _bucket(server, org, n, s) for n, s in wanted.items()]  # type: ignore[misc]
    return [lambda n=n, s=s: _database(server, n, s) for n, s in wanted.items()]  # type: ignore[misc]


# --- 1.x: databases and retention policies ---------------------------------------------------------


def _database(server: InfluxServer, name: str, keep_s: int) -> list[Finding]:
    quoted = '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'
    if name not in [row["name"] for row in server.table("", "SHOW DATABASES")]:
        create = f"CREATE DATABASE {quoted}" + (f" WITH DURATION {keep_s // DAY_S}d" if keep_s else "")
        return [
            Finding(
                f"there is no database {name}",
                f"{name}: database made, keeps {_kept(keep_s)}",
                lambda: _order(server, create),
            )
        ]
    policies = server.table("", f"SHOW RETENTION POLICIES ON {quoted}")
    policy = next((row for row in policies if row["default"]), None)
    if policy is None:
        return [Finding(f"{name}: there is a database without a default retention policy; give it one")]
    found_s = _seconds(policy["duration"])
    longer = f'ALTER RETENTION POLICY "{policy["name"]}" ON {quoted} DURATION {_influxql(keep_s)}'
    return [_retention(name, "database", found_s, keep_s, lambda: _order(server, longer))]


def _order(server: InfluxServer, statement: str) -> None:
    try:
        server.table("", statement)
    except Misconfigured as error:
        raise Misconfigured(f"{error}; an administrator may give the order: {statement}") from error


def _seconds(duration: str) -> int:
    """Of ``9600h0m0s``."""
    found = re.fullmatch(r"(?:([0-9]+)h)?(?:([0-9]+)m)?([0-9]+)s", duration)
    if found is None:
        raise QueryRefused(f"the server tells a retention of {duration!r}, expected hours, minutes and seconds")
    hours, minutes, seconds = (int(part or 0) for part in found.groups())
    return (hours * 60 + minutes) * 60 + seconds


def _influxql(keep_s: int) -> str:
    return f"{keep_s // DAY_S}d" if keep_s else "INF"


# --- 2.x: buckets, and the mappings by which InfluxQL finds them -----------------------------------


def _organisation(server: InfluxServer) -> str:
    """The id of the organisation."""
    name = server.settings.org
    found = server.api("GET", "/api/v2/orgs", {"org": name}) or {}
    ids = [org["id"] for org in found.get("orgs", ()) if org["name"] == name]
    if not ids:
        raise Misconfigured(
            f"{server.settings.url}: no organisation {name!r} that this token may see; see store.influxdb"
        )
    return str(ids[0])


def _bucket(server: InfluxServer, org: str, name: str, keep_s: int) -> list[Finding]:
    found = server.api("GET", "/api/v2/buckets", {"orgID": org, "name": name}) or {}
    # 2.0 names the system's buckets where it knows no such bucket
    bucket = next((one for one in found.get("buckets", ()) if one["name"] == name), None)
    if bucket is None:
        make = {"orgID": org, "name": name, "retentionRules": _rules(keep_s)}

        def created() -> None:
            made = server.api("POST", "/api/v2/buckets", {}, make)
            for finding in _mapping(server, org, name, made["id"]):
                if finding.make is not None:
                    finding.make()

        return [
            Finding(
                f"there is no bucket {name}", f"{name}: bucket made, keeps {_kept(keep_s)}, InfluxQL finds it", created
            )
        ]
    found_s = next((int(rule["everySeconds"]) for rule in bucket.get("retentionRules", ())), _FOR_EVER)
    patch = {"retentionRules": _rules(keep_s)}
    retention = _retention(
        name, "bucket", found_s, keep_s, lambda: server.api("PATCH", f"/api/v2/buckets/{bucket['id']}", {}, patch)
    )
    return [retention, *_mapping(server, org, name, bucket["id"])]


def _mapping(server: InfluxServer, org: str, name: str, bucket_id: str) -> list[Finding]:
    """A database of the bucket's name; newer servers have one for each bucket by themselves (``virtual``)."""
    mappings: list[dict[str, Any]] = (server.api("GET", "/api/v2/dbrps", {"orgID": org, "db": name}) or {}).get(
        "content", []
    )
    default = next((one for one in mappings if one["default"]), None)
    if default is not None and default["bucketID"] == bucket_id:
        return [Finding(f"{name}: InfluxQL finds it under its name")]
    if default is not None:
        return [
            Finding(
                f"{name}: InfluxQL finds another bucket under this name ({default['bucketID']}); put that right there"
            )
        ]
    make = {"orgID": org, "bucketID": bucket_id, "database": name, "retention_policy": "autogen", "default": True}
    return [
        Finding(
            f"InfluxQL does not find the bucket {name}",
            f"{name}: mapped to a database of its name, for InfluxQL",
            lambda: server.api("POST", "/api/v2/dbrps", {}, make),
        )
    ]


def _rules(keep_s: int) -> list[dict[str, Any]]:
    return [{"type": "expire", "everySeconds": keep_s}] if keep_s else []


# --- both ------------------------------------------------------------------------------------------


def _retention(name: str, kind: str, found_s: int, wanted_s: int, make: Callable[[], object]) -> Finding:
    """Longer is right, too: the plant's data are worth more than the disk, and shortening would drop them."""
    there = f"{name}: there is a {kind} that keeps {_kept(found_s)}"
    if found_s == wanted_s:
        return Finding(there)
    if found_s == _FOR_EVER or (wanted_s != _FOR_EVER and found_s > wanted_s):
        return Finding(f"{there}; {_kept(wanted_s)} would do, left as it is")
    return Finding(
        f"{there}, expected {_kept(wanted_s)}",
        f"{name}: keeps {_kept(wanted_s)} from now on, {_kept(found_s)} before",
        make,
    )


def _kept(seconds: int) -> str:
    if seconds == _FOR_EVER:
        return "everything"
    return f"{seconds // DAY_S} days" if seconds % DAY_S == 0 else f"{seconds / DAY_S:.3g} days"
