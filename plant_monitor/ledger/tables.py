"""The tables of the ledger. ``migrations/`` brings a database to this shape; a test compares the two.

Times are ms since 1970 UTC, money is integer fen, documents are JSON. ``alert_events``, ``alert_files``, ``mutes``,
``audit``, ``lab_results``, ``annotations``, ``verdict_changes``, ``objections`` and ``objection_decisions`` are
append-only: triggers in the database refuse to change or delete a row. So they do for ``statements``, but that a draft
becomes issued or superseded, once.
"""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

metadata = MetaData()

alerts = Table(
    "alerts",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("kind", String(32), nullable=False),
    Column("point", String(128), nullable=False),
    Column("parameter", String(64), nullable=False),
    Column("limit_set", String(128), nullable=False),
    Column("state", String(16), nullable=False),
    Column("assignee", String(128), nullable=False),
    Column("opened_ms", BigInteger, nullable=False),
    Column("changed_ms", BigInteger, nullable=False),
    Column("episodes", JSON, nullable=False),
    # What follows is told by the episodes; it stands here to be searched and to be read by other tools.
    Column("since_ms", BigInteger, nullable=False),
    Column("until_ms", BigInteger, nullable=False),
    Column("ongoing", Boolean, nullable=False),
    Column("windows", Integer, nullable=False),
    Column("peak", Float, nullable=False),
    Column("limit_value", Float, nullable=False),
    Column("peak_ratio", Float),
    Column("subject", String(256), nullable=False),  # what it is about where no series is
    Column("member", String(128), nullable=False),  # whose it is where no point says so
    Index("alerts_point", "point", "until_ms"),
    sqlite_autoincrement=True,  # an id is never used again
)

# The rule of design §5 as the database's own: one alert per key that is not closed.
Index(
    "alerts_one_open",
    alerts.c.kind,
    alerts.c.point,
    alerts.c.parameter,
    alerts.c.limit_set,
    alerts.c.subject,
    unique=True,
    sqlite_where=text("state <> 'closed'"),
    postgresql_where=text("state <> 'closed'"),
)

alert_events = Table(
    "alert_events",
    metadata,
    Column("alert_id", Integer, ForeignKey("alerts.id"), primary_key=True),
    Column("seq", Integer, primary_key=True, autoincrement=False),  # 1, 2, … within the alert
    Column("time_ms", BigInteger, nullable=False),
    Column("transition", String(16), nullable=False),
    Column("actor", String(128), nullable=False),  # empty = the monitor itself
    Column("comment", Text, nullable=False),
    Column("snapshot", JSON, nullable=False),  # the alert's numbers after the step
)

alert_files = Table(
    "alert_files",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("alert_id", Integer, ForeignKey("alerts.id"), nullable=False),
    Column("seq", Integer, nullable=False),  # the step it came with
    Column("name", String(256), nullable=False),
    Column("media_type", String(128), nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("bytes", Integer, nullable=False),
    Column("content", LargeBinary, nullable=False),
    Index("alert_files_alert", "alert_id", "id"),
    sqlite_autoincrement=True,
)

mutes = Table(
    "mutes",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("kind", String(32), nullable=False),  # empty = all, as point and parameter
    Column("point", String(128), nullable=False),
    Column("parameter", String(64), nullable=False),
    Column("start_ms", BigInteger, nullable=False),
    Column("end_ms", BigInteger, nullable=False),
    Column("reason", Text, nullable=False),
    Column("lifts", Integer, ForeignKey("mutes.id"), unique=True),  # this row ends that one early
    Column("entered_ms", BigInteger, nullable=False),
    Column("entered_by", String(128), nullable=False),
    sqlite_autoincrement=True,
)

deliveries = Table(
    "deliveries",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("alert_id", Integer),  # none: a report, a hand-over
    Column("seq", Integer, nullable=False),  # the alert's event that is told
    Column("transition", String(16), nullable=False),
    Column("recipient", String(128), nullable=False),  # the id of a person; empty = the channel alone
    Column("channel", String(128), nullable=False),
    Column("left_channels", JSON, nullable=False),  # those to try after it, in order
    Column("title", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("state", String(16), nullable=False),  # pending | sent | failed
    Column("attempts", Integer, nullable=False),
    Column("created_ms", BigInteger, nullable=False),
    Column("next_try_ms", BigInteger, nullable=False),
    Column("sent_ms", BigInteger),
    Column("error", Text, nullable=False),
    Column("pace", String(8), nullable=False),  # urgent | normal | held | digest
    Column("bundle_of", Integer),  # the message that this one goes along with
    UniqueConstraint("alert_id", "seq", "recipient", "channel", name="deliveries_once"),
    Index("deliveries_due", "state", "next_try_ms"),
    sqlite_autoincrement=True,
)

statements = Table(
    "statements",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("number", String(64), nullable=False, unique=True),
    Column("period", String(16), nullable=False),
    Column("state", String(16), nullable=False),  # draft | superseded | issued
    Column("created_ms", BigInteger, nullable=False),
    Column("plant_digest", String(64), nullable=False),
    Column("digest", String(64), nullable=False),  # sha256 of the content
    Column("total_fen", BigInteger, nullable=False),
    Column("document", JSON, nullable=False),  # statement.json
    Column("lines", JSON, nullable=False),  # rows of statement.csv
    Column("volumes", JSON, nullable=False),  # rows of volumes.csv
    Column("kind", String(16), nullable=False, server_default="statement"),  # statement | correction
    Column("predecessor", String(64), nullable=False, server_default=""),  # corrections: the number before it
    Column("cause", Text, nullable=False, server_default=""),  # corrections: why
    Column("issued_ms", BigInteger),
    Column("issued_by", String(128), nullable=False, server_default=""),
    Column("override_reason", Text, nullable=False, server_default=""),  # why it went out with blocking findings
    Column("plant_text", Text, nullable=False, server_default=""),  # plant.yaml of plant_digest
    Index("statements_period", "period", "digest"),
    sqlite_autoincrement=True,
)

# One chain of documents per period: a statement that is issued once, each correction after another document.
Index(
    "statements_issued_once",
    statements.c.period,
    unique=True,
    sqlite_where=text("state = 'issued' AND kind = 'statement'"),
    postgresql_where=text("state = 'issued' AND kind = 'statement'"),
)
Index(
    "statements_one_successor",
    statements.c.predecessor,
    unique=True,
    sqlite_where=text("predecessor <> ''"),
    postgresql_where=text("predecessor <> ''"),
)

# An objection is a case (an alert of its kind): the life, the words and the files are there.
objections = Table(
    "objections",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("alert_id", Integer, ForeignKey("alerts.id"), nullable=False, unique=True),
    Column("statement", String(64), nullable=False),
    Column("member", String(128), nullable=False),
    Column("item", String(256), nullable=False),
    Column("reason", Text, nullable=False),
    Index("objections_member", "member", "statement"),
    sqlite_autoincrement=True,
)

objection_decisions = Table(
    "objection_decisions",
    metadata,
    Column("objection_id", Integer, ForeignKey("objections.id"), primary_key=True),
    Column("seq", Integer, primary_key=True, autoincrement=False),  # the step of the case that closed it
    Column("decision", String(16), nullable=False),  # granted | rejected
    Column("correction", String(64), nullable=False),  # the correction that a granted one led to
    Column("annotation", Integer),  # or the annotation
)

lab_results = Table(
    "lab_results",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("point", String(128), nullable=False),
    Column("parameter", String(64), nullable=False),
    Column("start_ms", BigInteger, nullable=False),
    Column("end_ms", BigInteger, nullable=False),
    Column("value", Float, nullable=False),  # the limit of detection where below_lod
    Column("below_lod", Boolean, nullable=False),
    Column("unit", String(32), nullable=False),
    Column("method", String(256), nullable=False),
    Column("laboratory", String(256), nullable=False),
    Column("who", String(128), nullable=False),  # took the sample
    Column("entered_ms", BigInteger, nullable=False),
    Column("entered_by", String(128), nullable=False),
    Index("lab_results_sample", "point", "parameter", "start_ms"),
    sqlite_autoincrement=True,
)

annotation_rows = Table(
    "annotations",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("kind", String(32), nullable=False),
    Column("point", String(128), nullable=False),
    Column("parameter", String(64), nullable=False),  # empty = every one of the point
    Column("start_ms", BigInteger, nullable=False),
    Column("end_ms", BigInteger, nullable=False),
    Column("value", Float),
    Column("closing", Float),  # register of the old meter
    Column("opening", Float),  # register of the new one
    Column("reason", Text, nullable=False),
    Column("evidence", Text, nullable=False),
    Column("withdraws", Integer, ForeignKey("annotations.id"), unique=True),  # this row takes that one back
    Column("entered_ms", BigInteger, nullable=False),
    Column("entered_by", String(128), nullable=False),
    Index("annotations_point", "point", "start_ms"),
    sqlite_autoincrement=True,
)

# The verdicts of each local day as they were last given, so that a changed one can name the one it replaces.
judged_days = Table(
    "judged_days",
    metadata,
    Column("day", String(10), primary_key=True),
    Column("verdicts", JSON, nullable=False),
    Column("limits", String(16), nullable=False),  # digest of the limits
    Column("said", JSON, nullable=False),  # ids of annotations, by series
)

verdict_changes = Table(
    "verdict_changes",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("table", String(16), nullable=False),  # hourly | daily | monthly
    Column("point", String(128), nullable=False),
    Column("parameter", String(64), nullable=False),
    Column("window", String(32), nullable=False),
    Column("start_ms", BigInteger, nullable=False),
    Column("limit_set", String(128), nullable=False),
    Column("statistic", String(32), nullable=False),
    Column("old_verdict", String(32), nullable=False),
    Column("new_verdict", String(32), nullable=False),
    Column("old_value", Float),
    Column("new_value", Float),
    Column("cause", String(16), nullable=False),
    Column("annotations", JSON, nullable=False),
    Column("changed_ms", BigInteger, nullable=False),
    Index("verdict_changes_window", "point", "parameter", "start_ms"),
    sqlite_autoincrement=True,
)

# How far a part of the service has worked through something that only grows.
progress = Table(
    "progress",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("done", BigInteger, nullable=False),
)

api_keys = Table(
    "api_keys",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("prefix", String(16), nullable=False, unique=True),
    Column("digest", String(64), nullable=False),  # sha256 of the whole key
    Column("role", String(16), nullable=False),
    Column("member", String(128), nullable=False),  # empty unless the role is member
    Column("label", String(128), nullable=False),
    Column("created_ms", BigInteger, nullable=False),
    Column("expires_ms", BigInteger),
    Column("revoked_ms", BigInteger),
    sqlite_autoincrement=True,
)

users = Table(
    "users",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String(64), nullable=False, unique=True),
    Column("role", String(16), nullable=False),
    Column("member", String(128), nullable=False),  # empty unless the role is member
    Column("password", String(256), nullable=False),  # argon2id, in its own text form
    Column("created_ms", BigInteger, nullable=False),
    Column("disabled_ms", BigInteger),
    sqlite_autoincrement=True,
)

sessions = Table(
    "sessions",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("user_id", Integer, ForeignKey("users.id"), nullable=False),
    Column("digest", String(64), nullable=False, unique=True),  # sha256 of the token
    Column("created_ms", BigInteger, nullable=False),
    Column("seen_ms", BigInteger, nullable=False),  # to the minute
    Column("ended_ms", BigInteger),
    sqlite_autoincrement=True,
)

audit = Table(
    "audit",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("time_ms", BigInteger, nullable=False),
    Column("actor", String(128), nullable=False),
    Column("action", String(64), nullable=False),
    Column("subject", String(128), nullable=False),
    Column("detail", JSON, nullable=False),
    sqlite_autoincrement=True,
)
