"""Accounts: passwords that cannot be read back, sessions that end."""

from __future__ import annotations

import pytest
from sqlalchemy import create_engine, text

from plant_monitor.errors import InputError
from plant_monitor.ledger import Ledger
from plant_monitor.ledger.users import IDLE_MS, LONGEST_MS

PASSWORD = "correct horse 电池"
NOW = 1_790_000_000_000


@pytest.fixture
def with_user(ledger: Ledger) -> Ledger:
    ledger.users.add("wang", "member", member="shennong", password=PASSWORD, now_ms=NOW)
    return ledger


def sign_in(ledger: Ledger, password: str = PASSWORD, name: str = "wang", now_ms: int = NOW) -> str | None:
    return ledger.users.sign_in(name, password, address="10.0.0.9", now_ms=now_ms)


def test_the_right_password_opens_a_session_and_no_other_does(with_user: Ledger) -> None:
    token = sign_in(with_user)
    assert token is not None
    session = with_user.users.session(token, NOW + 1)
    assert session is not None
    assert (session.user.name, session.user.role, session.user.member) == ("wang", "member", "shennong")
    for wrong in ("", PASSWORD[:-1], PASSWORD + " ", PASSWORD.upper(), "x" * 100_000):
        assert sign_in(with_user, wrong) is None
    assert sign_in(with_user, PASSWORD, name="nobody") is None
    for wrong in ("", token[:-1], token + "x", "\udcff"):
        assert with_user.users.session(wrong, NOW + 1) is None


def test_the_database_holds_neither_password_nor_token(with_user: Ledger, ledger_url: str) -> None:
    token = sign_in(with_user)
    sign_in(with_user, "a wrong password, typed", name="a password typed as name")
    engine = create_engine(ledger_url)
    with engine.connect() as connection:
        stored = "".join(
            str(connection.execute(text(f"SELECT * FROM {t}")).all()) for t in ("users", "sessions", "audit")
        )
    engine.dispose()
    assert "$argon2id$" in stored
    for secret in (PASSWORD, token, "typed"):
        assert secret is not None and secret not in stored


def test_a_session_ends_when_it_is_idle_and_in_any_case(with_user: Ledger) -> None:
    token = sign_in(with_user)
    assert token is not None
    assert with_user.users.session(token, NOW + IDLE_MS) is None
    for used_ms in range(NOW, NOW + LONGEST_MS, IDLE_MS - 1):
        assert with_user.users.session(token, used_ms) is not None, "using it keeps it"
    assert with_user.users.session(token, NOW + LONGEST_MS - 1) is not None
    assert with_user.users.session(token, NOW + LONGEST_MS) is None


def test_signing_out_a_new_password_and_disabling_end_sessions(with_user: Ledger) -> None:
    users = with_user.users
    first, second = sign_in(with_user), sign_in(with_user)
    assert first and second
    users.sign_out(first, NOW + 1)
    users.sign_out(first, NOW + 2)
    assert users.session(first, NOW + 3) is None
    assert users.session(second, NOW + 3) is not None
    users.set_password("wang", "another password", now_ms=NOW + 4)
    assert users.session(second, NOW + 5) is None
    assert sign_in(with_user) is None
    third = sign_in(with_user, "another password", now_ms=NOW + 6)
    assert third
    users.set_disabled("wang", True, now_ms=NOW + 7)
    assert users.session(third, NOW + 8) is None
    assert sign_in(with_user, "another password") is None
    users.set_disabled("wang", False, now_ms=NOW + 9)
    assert users.session(third, NOW + 10) is None, "what has ended stays so"
    assert sign_in(with_user, "another password") is not None


def test_the_audit_trail_tells_who_signed_in_from_where(with_user: Ledger) -> None:
    token = sign_in(with_user)
    sign_in(with_user, "wrong password")
    sign_in(with_user, "wrong password", name="nobody")
    with_user.users.sign_out(str(token), NOW)
    with_user.users.set_disabled("wang", True, now_ms=NOW)
    told = [(e.actor, e.action, e.subject) for e in reversed(with_user.audit.list())]
    assert told == [
        ("cli", "user.add", "wang"),
        ("member:wang", "login", "wang"),
        ("", "login.refused", "wang"),
        ("", "login.refused", ""),
        ("member:wang", "logout", "wang"),
        ("cli", "user.disable", "wang"),
    ]
    assert [e.detail for e in with_user.audit.list() if e.action == "login"] == [{"address": "10.0.0.9"}]


def test_impossible_accounts_are_refused(with_user: Ledger) -> None:
    good = {"name": "li", "role": "officer", "password": PASSWORD}
    for wrong, words in (
        ({"name": "wang"}, "already an account 'wang'"),
        ({"name": "a b"}, "letters, digits"),
        ({"role": "boss"}, "expected one of operator, member, officer, admin"),
        ({"role": "member"}, "expected the id of its member"),
        ({"member": "shennong"}, "expected no member"),
        ({"password": "short"}, "found 5 characters, expected 12 to 256"),
        ({"password": "li-li-li-li-li"}, "account's name"),
    ):
        with pytest.raises(InputError, match=words):
            with_user.users.add(**{**good, **wrong}, now_ms=NOW)  # type: ignore[arg-type]
    for deed in (
        lambda: with_user.users.set_password("li", PASSWORD, now_ms=NOW),
        lambda: with_user.users.set_disabled("li", True, now_ms=NOW),
    ):
        with pytest.raises(InputError, match="no account 'li'"):
            deed()
    assert [u.name for u in with_user.users.list()] == ["wang"]
