"""Laboratory results."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "lab_results",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("point", sa.String(128), nullable=False),
        sa.Column("parameter", sa.String(64), nullable=False),
        sa.Column("start_ms", sa.BigInteger, nullable=False),
        sa.Column("end_ms", sa.BigInteger, nullable=False),
        sa.Column("value", sa.Float, nullable=False),
        sa.Column("below_lod", sa.Boolean, nullable=False),
        sa.Column("unit", sa.String(32), nullable=False),
        sa.Column("method", sa.String(256), nullable=False),
        sa.Column("laboratory", sa.String(256), nullable=False),
        sa.Column("who", sa.String(128), nullable=False),
        sa.Column("entered_ms", sa.BigInteger, nullable=False),
        sa.Column("entered_by", sa.String(128), nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("lab_results_sample", "lab_results", ["point", "parameter", "start_ms"])
    if op.get_bind().dialect.name == "sqlite":
        for verb in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER lab_results_no_{verb.lower()} BEFORE {verb} ON lab_results "
                "BEGIN SELECT RAISE(ABORT, 'lab_results is append-only'); END"
            )
    else:
        op.execute(
            "CREATE TRIGGER lab_results_append_only BEFORE UPDATE OR DELETE ON lab_results "
            "FOR EACH ROW EXECUTE FUNCTION refuse_change()"
        )


def downgrade() -> None:
    op.drop_table("lab_results")
