"""Mutes and maintenance windows."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "mutes",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("point", sa.String(128), nullable=False),
        sa.Column("parameter", sa.String(64), nullable=False),
        sa.Column("start_ms", sa.BigInteger, nullable=False),
        sa.Column("end_ms", sa.BigInteger, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("lifts", sa.Integer, sa.ForeignKey("mutes.id"), unique=True),
        sa.Column("entered_ms", sa.BigInteger, nullable=False),
        sa.Column("entered_by", sa.String(128), nullable=False),
        sqlite_autoincrement=True,
    )
    if op.get_bind().dialect.name == "sqlite":
        for verb in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER mutes_no_{verb.lower()} BEFORE {verb} ON mutes "
                "BEGIN SELECT RAISE(ABORT, 'mutes is append-only'); END"
            )
    else:
        op.execute(
            "CREATE TRIGGER mutes_append_only BEFORE UPDATE OR DELETE ON mutes "
            "FOR EACH ROW EXECUTE FUNCTION refuse_change()"
        )


def downgrade() -> None:
    op.drop_table("mutes")
