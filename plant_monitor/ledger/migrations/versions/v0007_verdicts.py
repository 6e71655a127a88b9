"""Verdicts as last given, and every change of one."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "judged_days",
        sa.Column("day", sa.String(10), primary_key=True),
        sa.Column("verdicts", sa.JSON, nullable=False),
        sa.Column("limits", sa.String(16), nullable=False),
        sa.Column("said", sa.JSON, nullable=False),
    )
    op.create_table(
        "verdict_changes",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("table", sa.String(16), nullable=False),
        sa.Column("point", sa.String(128), nullable=False),
        sa.Column("parameter", sa.String(64), nullable=False),
        sa.Column("window", sa.String(32), nullable=False),
        sa.Column("start_ms", sa.BigInteger, nullable=False),
        sa.Column("limit_set", sa.String(128), nullable=False),
        sa.Column("statistic", sa.String(32), nullable=False),
        sa.Column("old_verdict", sa.String(32), nullable=False),
        sa.Column("new_verdict", sa.String(32), nullable=False),
        sa.Column("old_value", sa.Float),
        sa.Column("new_value", sa.Float),
        sa.Column("cause", sa.String(16), nullable=False),
        sa.Column("annotations", sa.JSON, nullable=False),
        sa.Column("changed_ms", sa.BigInteger, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("verdict_changes_window", "verdict_changes", ["point", "parameter", "start_ms"])
    if op.get_bind().dialect.name == "sqlite":
        for verb in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER verdict_changes_no_{verb.lower()} BEFORE {verb} ON verdict_changes "
                "BEGIN SELECT RAISE(ABORT, 'verdict_changes is append-only'); END"
            )
    else:
        op.execute(
            "CREATE TRIGGER verdict_changes_append_only BEFORE UPDATE OR DELETE ON verdict_changes "
            "FOR EACH ROW EXECUTE FUNCTION refuse_change()"
        )


def downgrade() -> None:
    op.drop_table("verdict_changes")
    op.drop_table("judged_days")
