"""Cases that people open, and files that belong to a step."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_KEY = ["kind", "point", "parameter", "limit_set"]
_OPEN = sa.text("state <> 'closed'")


def upgrade() -> None:
    op.drop_index("alerts_one_open", "alerts")
    for name, length in (("subject", 256), ("member", 128)):
        op.add_column("alerts", sa.Column(name, sa.String(length), nullable=False, server_default=""))
    op.create_index(
        "alerts_one_open", "alerts", [*_KEY, "subject"], unique=True, sqlite_where=_OPEN, postgresql_where=_OPEN
    )
    op.create_table(
        "alert_files",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("alert_id", sa.Integer, sa.ForeignKey("alerts.id"), nullable=False),
        sa.Column("seq", sa.Integer, nullable=False),
        sa.Column("name", sa.String(256), nullable=False),
        sa.Column("media_type", sa.String(128), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("bytes", sa.Integer, nullable=False),
        sa.Column("content", sa.LargeBinary, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("alert_files_alert", "alert_files", ["alert_id", "id"])
    if op.get_bind().dialect.name == "sqlite":
        for verb in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER alert_files_no_{verb.lower()} BEFORE {verb} ON alert_files "
                "BEGIN SELECT RAISE(ABORT, 'alert_files is append-only'); END"
            )
    else:
        op.execute(
            "CREATE TRIGGER alert_files_append_only BEFORE UPDATE OR DELETE ON alert_files "
            "FOR EACH ROW EXECUTE FUNCTION refuse_change()"
        )


def downgrade() -> None:
    op.drop_table("alert_files")
    op.drop_index("alerts_one_open", "alerts")
    for name in ("subject", "member"):
        op.drop_column("alerts", name)
    op.create_index("alerts_one_open", "alerts", _KEY, unique=True, sqlite_where=_OPEN, postgresql_where=_OPEN)
