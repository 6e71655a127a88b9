"""Messages that belong to no alert, that wait, and that go along with another."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("deliveries", table_kwargs={"sqlite_autoincrement": True}) as table:
        table.add_column(sa.Column("pace", sa.String(8), nullable=False, server_default="normal"))
        table.add_column(sa.Column("bundle_of", sa.Integer))
        table.alter_column("alert_id", existing_type=sa.Integer, nullable=True)
    with op.batch_alter_table("deliveries", table_kwargs={"sqlite_autoincrement": True}) as table:
        table.alter_column("pace", server_default=None)


def downgrade() -> None:
    op.execute("DELETE FROM deliveries WHERE alert_id IS NULL")
    with op.batch_alter_table("deliveries", table_kwargs={"sqlite_autoincrement": True}) as table:
        table.alter_column("alert_id", existing_type=sa.Integer, nullable=False)
        table.drop_column("bundle_of")
        table.drop_column("pace")
