"""Signing in: the cookie of a session opens what the role's key opens, and other sites gain nothing by it."""

from __future__ import annotations

from typing import Any

import pytest
from api.api_world import HOUR, NOW, World
from starlette.websockets import WebSocketDisconnect

from plant_monitor.api.throttle import FIRST_WAIT_S, FREE_TRIES, LONGEST_WAIT_S, LoginThrottle

PASSWORD = "correct horse 电池"
OWN = {"Origin": "http://testserver"}
COOKIE = "plant_monitor_session"
NAMES = ("operator", "officer", "alpha", "beta")


@pytest.fixture
def people(world: World) -> World:
    """An account for whoever signs in, named like the role or member."""
    world.client.follow_redirects = False
    return world


def make_account(world: World, name: str) -> None:
    if name in NAMES and name not in {u.name for u in world.ledger.users.list()}:
        member = name if name in world.plant.member_by_id else ""
        world.ledger.users.add(name, "member" if member else name, member=member, password=PASSWORD, now_ms=NOW)


def login(world: World, name: str, password: str = PASSWORD, headers: dict[str, str] = OWN, **fields: str) -> Any:
    make_account(world, name)
    world.client.cookies.clear()
    return world.client.post("/login", data={"name": name, "password": password, **fields}, headers=headers)


def test_a_session_sees_what_a_key_of_its_role_sees(people: World) -> None:
    for name in NAMES:
        assert login(people, name).status_code == 303
        for path in ("/plant", "/alerts", "/statements", "/compliance/daily", "/points/beta-outfall/readings"):
            by_session, by_key = people.get(None, path), people.get(name, path)
            assert by_session.status_code == by_key.status_code
            assert by_session.json() == by_key.json(), (name, path)
        who = people.get(None, "/session").json()
        assert who["name"] == name
        assert who["member"] == (name if name in people.plant.member_by_id else None)


def test_the_cookie_is_out_of_reach_for_scripts_and_other_sites(people: World) -> None:
    cookie = login(people, "alpha").headers["set-cookie"]
    assert cookie.startswith(f"{COOKIE}=")
    assert "HttpOnly" in cookie and "SameSite=strict" in cookie and "Max-Age" not in cookie
    people.client.base_url = "https://testserver"  # behind TLS
    cookie = login(people, "alpha", headers={"Origin": "https://testserver"}).headers["set-cookie"]
    assert "Secure" in cookie


def test_a_wrong_password_and_a_wrong_name_are_told_alike(people: World) -> None:
    answers = [login(people, "alpha", "wrong"), login(people, "nobody", "wrong"), login(people, "nobody")]
    assert {a.status_code for a in answers} == {403}
    assert len({a.text for a in answers}) == 1
    assert not people.client.cookies


def test_signing_out_revokes_the_session_itself(people: World) -> None:
    login(people, "alpha")
    token = people.client.cookies[COOKIE]
    assert people.client.post("/logout", headers=OWN).headers["location"] == "/login?out=1"
    assert COOKIE not in people.client.cookies
    people.client.cookies[COOKIE] = token
    assert people.get(None, "/plant").status_code == 401
    assert people.get(None, "/health").json() == {"status": "ok"}, "an old cookie takes nothing away"


def test_a_session_ends_with_the_shift(people: World) -> None:
    login(people, "operator")
    people.clock.set(NOW + 9 * HOUR)
    assert people.get(None, "/plant").status_code == 401


def test_another_site_can_neither_sign_in_nor_act(people: World) -> None:
    action = "/api/v1/alerts/1/acknowledge"
    for origin in (None, "https://evil.example", "null", "http://testserver.evil.example"):
        theirs = {} if origin is None else {"Origin": origin}
        assert login(people, "operator", headers=theirs).status_code == 403
        assert login(people, "operator").status_code == 303
        assert people.client.post(action, headers=theirs).status_code == 403
        assert people.client.post("/logout", headers=theirs).status_code == 403
        with pytest.raises(WebSocketDisconnect), people.client.websocket_connect("/anywhere", headers=theirs):
            pass
    assert people.client.post(action, headers=OWN).status_code == 200
    assert people.ledger.alerts.events(1)[-1].actor == "operator:operator"


def test_a_key_needs_no_page_of_ours(people: World) -> None:
    assert people.ask("operator", "POST", "/alerts/1/acknowledge").status_code == 200


def test_the_way_back_stays_here(people: World) -> None:
    assert login(people, "alpha", back="/console/bills").headers["location"] == "/console/bills"
    for elsewhere in ("https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)", "/a\nb: c"):
        assert login(people, "alpha", back=elsewhere).headers["location"] == "/console/"
    page = people.client.get("/login", params={"back": '/"><script>'}).text
    assert "<script" not in page


def test_too_many_tries_have_to_wait(people: World) -> None:
    answers = [login(people, "alpha", "wrong").status_code for _ in range(FREE_TRIES["account"] + 1)]
    assert answers == [403] * FREE_TRIES["account"] + [429]
    assert login(people, "alpha").status_code == 429, "the right one, too"
    assert login(people, "beta").status_code == 303, "others sign in meanwhile"


def test_waits_grow_per_account_and_per_address_and_end() -> None:
    now = [0.0]
    throttle = LoginThrottle(lambda: now[0])
    waits = []
    for _ in range(20):
        throttle.wrong("wang", "10.0.0.9")
        waits.append(throttle.wait_s("wang", "10.0.0.7"))
    free = FREE_TRIES["account"]
    assert waits[: free + 2] == [0.0] * (free - 1) + [FIRST_WAIT_S, 2 * FIRST_WAIT_S, 4 * FIRST_WAIT_S]
    assert waits[-1] == LONGEST_WAIT_S
    assert throttle.wait_s("li", "10.0.0.9") == FIRST_WAIT_S, "one address trying many names"
    assert throttle.wait_s("li", "10.0.0.7") == 0.0
    throttle.right("wang", "10.0.0.9")
    assert throttle.wait_s("wang", "10.0.0.7") == 0.0
    assert throttle.wait_s("li", "10.0.0.9") == 0.0, "19 wrong ones are left to it"
    now[0] = 2 * 3600.0
    throttle.wrong("li", "10.0.0.1")
    assert throttle.wait_s("li", "10.0.0.9") == 0.0, "forgotten"


def test_a_form_that_is_none_signs_nobody_in(people: World) -> None:
    for body in (b"", b"\xff=1", b"name=alpha", b"a=1&" * 2000, b"name=" + b"x" * 100_000):
        assert people.client.post("/login", content=body, headers=OWN).status_code in (403, 429)


def test_every_answer_carries_the_headers_that_keep_browsers_in_check(people: World) -> None:
    for path in ("/login", "/docs", "/api/v1/plant", "/nothing", "/api/v1/health"):
        headers = people.client.get(path).headers
        assert headers["x-frame-options"] == "DENY"
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "same-origin"
        assert "default-src 'none'" in headers["content-security-policy"]
        assert headers["cache-control"] in ("no-store", "private, no-cache"), path


def test_the_login_speaks_both_languages_and_remembers_which(people: World) -> None:
    assert "密码" in people.client.get("/login").text
    assert "Password" in people.client.get("/login", headers={"Accept-Language": "en-GB"}).text
    assert "Password" in people.client.get("/login", params={"language": "en"}).text
    assert "Password" in people.client.get("/login").text
