"""Annotations, and how far they have been judged."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "annotations",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("point", sa.String(128), nullable=False),
        sa.Column("parameter", sa.String(64), nullable=False),
        sa.Column("start_ms", sa.BigInteger, nullable=False),
        sa.Column("end_ms", sa.BigInteger, nullable=False),
        sa.Column("value", sa.Float),
        sa.Column("closing", sa.Float),
        sa.Column("opening", sa.Float),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("evidence", sa.Text, nullable=False),
        sa.Column("withdraws", sa.Integer, sa.ForeignKey("annotations.id"), unique=True),
        sa.Column("entered_ms", sa.BigInteger, nullable=False),
        sa.Column("entered_by", sa.String(128), nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("annotations_point", "annotations", ["point", "start_ms"])
    op.create_table(
        "progress",
        sa.Column("name", sa.String(64), primary_key=True),
        sa.Column("done", sa.BigInteger, nullable=False),
    )
    if op.get_bind().dialect.name == "sqlite":
        for verb in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER annotations_no_{verb.lower()} BEFORE {verb} ON annotations "
                "BEGIN SELECT RAISE(ABORT, 'annotations is append-only'); END"
            )
    else:
        op.execute(
            "CREATE TRIGGER annotations_append_only BEFORE UPDATE OR DELETE ON annotations "
            "FOR EACH ROW EXECUTE FUNCTION refuse_change()"
        )


def downgrade() -> None:
    op.drop_table("progress")
    op.drop_table("annotations")
