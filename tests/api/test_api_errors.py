"""Every error has one shape, says where, and gives nothing away."""

from __future__ import annotations

from typing import Any

import pytest
from api.api_world import World, make_world

from plant_monitor.api.gate import MOST_KEPT, RateLimit
from plant_monitor.errors import InputError, StoreError, StoreUnavailable


def error_of(answer: Any) -> dict[str, str]:
    body = answer.json()
    assert set(body) == {"error"}
    assert set(body["error"]) == {"code", "message", "where"}
    assert all(isinstance(v, str) for v in body["error"].values())
    error: dict[str, str] = body["error"]
    return error


@pytest.mark.parametrize(
    ("path", "query", "status", "code", "where", "words"),
    [
        ("/compliance/daily", {"from": "yesterday"}, 422, "invalid", "query.from", "expected a date"),
        ("/compliance/daily", {"from": "2026-10-01T00:00:00"}, 422, "invalid", "query.from", "with an offset"),
        ("/compliance/daily", {"from": "2026-02-30"}, 422, "invalid", "query.from", "2026-02-30"),
        ("/compliance/daily", {"from": "0001-01-01"}, 422, "invalid", "query.from", "0001"),
        ("/compliance/daily", {"to": "9999-12-31"}, 422, "invalid", "query.to", "9999"),
        ("/compliance/daily", {"from": "2026-10-02", "to": "2026-10-01"}, 422, "invalid", "query.to", "later time"),
        ("/compliance/daily", {"from": "2024-01-01"}, 422, "range_too_long", "query.from", "at most 366"),
        ("/compliance/hourly", {"from": "2026-06-01"}, 422, "range_too_long", "query.from", "at most 93"),
        ("/points/alpha-outfall/readings", {"from": "2026-06-01"}, 422, "range_too_long", "query.from", "parts"),
        ("/compliance/daily", {"verdict": "fine"}, 422, "invalid", "query.verdict", "'met'"),
        ("/compliance/daily", {"form": "2026-10-01"}, 422, "invalid", "query.form", "xtra"),
        ("/compliance/daily", {"limit": 0}, 422, "invalid", "query.limit", "greater"),
        ("/compliance/daily", {"limit": 10_001}, 422, "invalid", "query.limit", "less"),
        ("/compliance/daily", {"cursor": "!"}, 422, "invalid", "query.cursor", "expected the `next`"),
        ("/compliance/daily", {"cursor": "W10"}, 422, "invalid", "query.cursor", "expected the `next`"),
        ("/compliance/daily", {"cursor": "WzFd"}, 422, "invalid", "query.cursor", "expected the `next`"),
        ("/alerts", {"cursor": "WyJhIl0"}, 422, "invalid", "query.cursor", "expected the `next`"),
        ("/points/alpha-outfall/readings", {"cursor": "WzFd"}, 422, "invalid", "query.cursor", "expected the `next`"),
        ("/alerts", {"state": "angry"}, 422, "invalid", "query.state", "'open'"),
        ("/alerts/zero", {}, 422, "invalid", "path.alert", "integer"),
        ("/alerts/99999999999999999999", {}, 422, "invalid", "path.alert", "less"),
        ("/points/alpha-outfall/readings", {"step": "year"}, 422, "invalid", "query.step", "'raw'"),
        (
            "/points/alpha-outfall/readings",
            {"step": "hour", "parameter": "volume"},
            422,
            "invalid",
            "query.step",
            "usage",
        ),
        ("/points/none/readings", {}, 404, "not_found", "path.point", "no point 'none'"),
        ("/points/alpha-outfall/readings", {"parameter": "no"}, 404, "not_found", "query.parameter", "no parameter"),
        ("/members/none/usage", {}, 404, "not_found", "path.member", "no member 'none'"),
        ("/compliance/daily", {"limit_set": "no"}, 404, "not_found", "query.limit_set", "no limit set"),
        ("/statements/none", {}, 404, "not_found", "path.number", "no statement 'none'"),
        ("/statements/none.pdf", {}, 404, "not_found", "path.number", "no statement 'none'"),
        ("/alerts/4711", {}, 404, "not_found", "path.alert", "no alert '4711'"),
        ("/nothing/here", {}, 404, "not_found", "", "GET /api/v1/nothing/here: not found"),
    ],
)
def test_errors_of_the_asker(
    world: World, path: str, query: dict[str, Any], status: int, code: str, where: str, words: str
) -> None:
    answer = world.get("operator", path, **query)
    assert answer.status_code == status
    error = error_of(answer)
    assert (error["code"], error["where"]) == (code, where)
    assert words in error["message"]


def test_a_plus_sign_that_was_not_escaped_is_understood(world: World) -> None:
    secret = {"Authorization": f"Bearer {world.keys['operator']}"}
    answer = world.client.get("/api/v1/headroom?from=2026-10-02T00:00:00+08:00&to=2026-10-03", headers=secret)
    assert [r["date"] for r in answer.json()["items"]] == ["2026-10-02"]


def test_methods_and_bodies(world: World) -> None:
    answer = world.ask("operator", "DELETE", "/plant")
    assert (answer.status_code, error_of(answer)["code"]) == (405, "method_not_allowed")
    assert answer.headers["allow"] == "GET"
    for body in (b"{broken", b"[]", b'{"comment": 5}', b'{"remark": "x"}', b'{"comment": "' + b"x" * 4001 + b'"}'):
        answer = world.ask("operator", "POST", "/alerts/1/close", content=body)
        assert answer.status_code == 422
        assert error_of(answer)["where"].startswith("body")
    answer = world.ask("operator", "POST", "/alerts/1/reopen")  # with the cases of a later version
    assert answer.status_code == 422
    assert world.get("operator", "/alerts/1").json()["state"] == "open"


@pytest.mark.parametrize(
    ("raised", "status", "code"),
    [
        (StoreUnavailable("disk full at /secret"), 503, "unavailable"),
        (StoreError("broken at /secret"), 500, "internal"),
        (ZeroDivisionError("secret"), 500, "internal"),
        (InputError("found a day of 25 hours"), 422, "invalid"),
    ],
)
def test_errors_of_ours_are_told_without_details(
    tmp_path: Any, capsys: pytest.CaptureFixture[str], raised: Exception, status: int, code: str
) -> None:
    def fail(*_: object) -> Any:
        raise raised

    world = make_world(tmp_path, evaluation_instead=fail)
    for form in ({}, {"format": "csv"}):
        answer = world.get("operator", "/compliance/daily", **form)
        assert (answer.status_code, error_of(answer)["code"]) == (status, code)
        assert "secret" not in answer.text
    if status >= 500:
        assert "secret" in "".join(capsys.readouterr())  # the log has it
    world.client.close()
    world.ledger.close()


def test_a_source_that_fails_is_an_error_and_no_broken_file(tmp_path: Any) -> None:
    class Lost:
        def read(self, *_: object) -> Any:
            raise StoreUnavailable("gone")

    world = make_world(tmp_path, source=Lost())
    for form in ({}, {"format": "csv"}, {"step": "minute"}):
        answer = world.get("operator", "/points/alpha-outfall/readings", **form)
        assert (answer.status_code, error_of(answer)["code"]) == (503, "unavailable")
    world.client.close()
    world.ledger.close()


def test_a_ledger_that_fails_lets_nobody_in(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def lost(*_: object) -> None:
        raise StoreUnavailable("gone")

    monkeypatch.setattr(world.ledger.keys, "find", lost)
    answer = world.get("operator", "/plant")
    assert (answer.status_code, error_of(answer)["code"]) == (503, "unavailable")
    assert world.get(None, "/health").status_code == 200


def test_the_rate_is_a_bucket_by_key() -> None:
    now = [0.0]
    limit = RateLimit(2.0, 4.0, lambda: now[0])
    assert [limit.wait_s(1) for _ in range(5)] == [0, 0, 0, 0, 0.5]
    assert limit.wait_s(2) == 0  # another key
    now[0] = 0.5
    assert [limit.wait_s(1), limit.wait_s(1)] == [0, 0.5]
    now[0] = 100.0
    assert [limit.wait_s(1) for _ in range(5)] == [0, 0, 0, 0, 0.5]  # full, and no fuller


def test_buckets_that_are_full_again_are_forgotten_and_no_other() -> None:
    now = [0.0]
    limit = RateLimit(2.0, 4.0, lambda: now[0])
    for session in range(MOST_KEPT):
        limit.wait_s(f"session {session}")
    now[0] = 60.0
    assert [limit.wait_s("busy") for _ in range(4)] == [0, 0, 0, 0]
    assert limit.kept() == 1
    assert limit.wait_s("busy") == 0.5


def test_answers_stay_out_of_caches_that_others_share(world: World) -> None:
    no_store, own = "no-store", "private, no-cache"
    for path, kept in (("/plant", own), ("/nothing", no_store), ("/statements/2026-10-02.csv", no_store)):
        answer = world.get("alpha", path)
        assert answer.headers["cache-control"] == kept
        assert answer.headers["x-content-type-options"] == "nosniff"
