"""An objection is a case: its trail and its files move to an alert of its own, its decisions stay beside it."""

import base64
import json
from typing import Any

import sqlalchemy as sa
from alembic import op

from plant_monitor.errors import StoreError
from plant_monitor.ledger.migrations.versions import v0004_objections as v0004

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

_STEPS = {"open": "opened"}  # the other states are named like the steps that lead to them
_NUMBERS = {"ongoing": False, "windows": 0, "peak": 0.0, "limit_value": 0.0, "peak_ratio": None}


def upgrade() -> None:
    connection = op.get_bind()
    known = connection.execute(sa.text("SELECT * FROM objections ORDER BY id")).mappings().all()
    trails = connection.execute(sa.text("SELECT * FROM objection_events ORDER BY objection_id, seq")).mappings().all()
    op.drop_table("objection_events")
    op.drop_table("objections")
    op.create_table(
        "objections",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("alert_id", sa.Integer, sa.ForeignKey("alerts.id"), nullable=False, unique=True),
        sa.Column("statement", sa.String(64), nullable=False),
        sa.Column("member", sa.String(128), nullable=False),
        sa.Column("item", sa.String(256), nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("objections_member", "objections", ["member", "statement"])
    op.create_table(
        "objection_decisions",
        sa.Column("objection_id", sa.Integer, sa.ForeignKey("objections.id"), primary_key=True),
        sa.Column("seq", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("decision", sa.String(16), nullable=False),
        sa.Column("correction", sa.String(64), nullable=False),
    )
    for row in known:
        _move(connection, row, [t for t in trails if t["objection_id"] == row["id"]])
    if known and connection.dialect.name == "postgresql":  # it does not count ids that are given
        op.execute("SELECT setval(pg_get_serial_sequence('objections', 'id'), (SELECT max(id) FROM objections))")
    for table in ("objections", "objection_decisions"):
        if connection.dialect.name == "sqlite":
            for verb in ("UPDATE", "DELETE"):
                op.execute(
                    f"CREATE TRIGGER {table}_no_{verb.lower()} BEFORE {verb} ON {table} "
                    f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
                )
        else:
            op.execute(
                f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE ON {table} "
                "FOR EACH ROW EXECUTE FUNCTION refuse_change()"
            )


def _move(connection: Any, row: Any, trail: list[Any]) -> None:
    """One objection to a case. Its title ends in its number, so that two about one line stay two."""
    first, last = trail[0], trail[-1]
    opened_ms, numbers = first["time_ms"], {"since_ms": first["time_ms"], "until_ms": first["time_ms"], **_NUMBERS}
    told = {"statistic": "", "start_ms": opened_ms, "end_ms": opened_ms, "windows": 0, "peak": 0.0, "limit": 0.0}
    told |= {"peak_ratio": None, "ongoing": False, "unit": "", "withdrawn": False, "seen_ms": 0}
    told |= {"evidence": {"zh": row["reason"], "en": row["reason"]}}
    alert = {
        **dict.fromkeys(("point", "parameter", "limit_set", "assignee"), ""),
        "kind": "objection",
        "subject": f"{row['statement']} {row['item'][:80]} {row['member']} #{row['id']}",
        "member": row["member"],
        "state": last["state"],
        "opened_ms": opened_ms,
        "changed_ms": last["time_ms"],
        "episodes": [told],
        **numbers,
    }
    alert_id = connection.execute(_insert("alerts", alert).returning(sa.column("id"))).scalar_one()
    kept = {name: row[name] for name in ("id", "statement", "member", "item", "reason")}
    connection.execute(_insert("objections", {"alert_id": alert_id, **kept}))
    for step in trail:
        said = {name: step[name] for name in ("seq", "time_ms", "actor", "comment")}
        transition = _STEPS.get(step["state"], step["state"])
        snapshot = {"state": step["state"], **numbers}
        event = {"alert_id": alert_id, "transition": transition, "snapshot": snapshot, **said}
        connection.execute(_insert("alert_events", event))
        if step["decision"]:
            decided = {name: step[name] for name in ("objection_id", "seq", "decision", "correction")}
            connection.execute(_insert("objection_decisions", decided))
    for file in _attachments(row["attachments"]):
        content = base64.b64decode(file["content"])
        about = {name: file[name] for name in ("name", "media_type", "sha256")}
        values = {"alert_id": alert_id, "seq": 1, "bytes": len(content), "content": content, **about}
        connection.execute(_insert("alert_files", values))


def _insert(table: str, values: dict[str, Any]) -> Any:
    """Into a table as it is at this migration."""
    columns = [sa.column(name, sa.JSON() if isinstance(v, dict | list) else None) for name, v in values.items()]
    return sa.insert(sa.table(table, *columns)).values(**values)


def _attachments(stored: Any) -> list[dict[str, str]]:
    """As text (SQLite) or as the driver has read them (PostgreSQL)."""
    files: list[dict[str, str]] = json.loads(stored) if isinstance(stored, str) else stored
    return files


def downgrade() -> None:
    """Of a ledger without objections; with some it stops, since their trails are their cases' now."""
    if op.get_bind().execute(sa.text("SELECT count(*) FROM objections")).scalar_one():
        raise StoreError("there are objections, whose trails are cases now: restore a backup instead")
    for table in ("objection_decisions", "objections"):
        op.drop_table(table)
    v0004.upgrade()
