"""API keys: shown once, found by what was shown, and by nothing else."""

from __future__ import annotations

import pytest
from sqlalchemy import create_engine, text

from plant_monitor.errors import InputError
from plant_monitor.ledger import Ledger


def test_a_key_is_found_by_its_secret_alone(ledger: Ledger) -> None:
    new = ledger.keys.add("member", member="shennong", label="office", now_ms=10)
    other = ledger.keys.add("operator", now_ms=11)
    assert ledger.keys.find(new.secret, 20) == new.key
    assert ledger.keys.find(other.secret, 20) == other.key
    assert new.secret.startswith(f"pm_{new.key.prefix}_")
    mixed = new.secret[:12] + other.secret[12:]  # one key's prefix, the other's secret
    for wrong in ("", "pm_", f"pm_{new.key.prefix}_", new.secret[:-1], new.secret + "x", mixed, "ключ", "\udcff"):
        assert ledger.keys.find(wrong, 20) is None


def test_the_database_holds_no_secret(ledger: Ledger, ledger_url: str) -> None:
    new = ledger.keys.add("officer", now_ms=10)
    engine = create_engine(ledger_url)
    with engine.connect() as connection:
        stored = str(connection.execute(text("SELECT * FROM api_keys")).all())
        stored += str(connection.execute(text("SELECT * FROM audit")).all())
    engine.dispose()
    assert new.key.prefix in stored
    assert new.secret.rpartition(new.key.prefix)[2][1:] not in stored


def test_a_key_ends_by_date_or_by_hand(ledger: Ledger) -> None:
    dated = ledger.keys.add("admin", now_ms=10, expires_ms=100)
    assert ledger.keys.find(dated.secret, 99) is not None
    assert ledger.keys.find(dated.secret, 100) is None
    new = ledger.keys.add("admin", now_ms=10)
    assert ledger.keys.revoke(new.key.prefix, now_ms=50).revoked_ms == 50
    assert ledger.keys.revoke(new.key.prefix, now_ms=60).revoked_ms == 50
    assert ledger.keys.find(new.secret, 55) is None
    assert [(k.prefix, k.revoked_ms) for k in ledger.keys.list()] == [(dated.key.prefix, None), (new.key.prefix, 50)]
    assert [a.action for a in ledger.audit.list()] == ["key.revoke", "key.add", "key.add"]


def test_impossible_keys_are_refused(ledger: Ledger) -> None:
    for wrong, words in (
        ({"role": "boss"}, "expected one of operator, member, officer, admin"),
        ({"role": "member"}, "expected the id of its member"),
        ({"role": "officer", "member": "shennong"}, "expected no member"),
        ({"role": "admin", "expires_ms": 10}, "expiry in the past"),
    ):
        with pytest.raises(InputError, match=words):
            ledger.keys.add(now_ms=10, **wrong)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="no key with prefix 'nope'"):
        ledger.keys.revoke("nope", now_ms=10)
    assert ledger.keys.list() == ()
