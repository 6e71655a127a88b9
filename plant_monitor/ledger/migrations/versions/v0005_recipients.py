"""Messages to people, by their channels in order."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("deliveries", table_kwargs={"sqlite_autoincrement": True}) as table:
        table.add_column(sa.Column("recipient", sa.String(128), nullable=False, server_default=""))
        table.add_column(sa.Column("left_channels", sa.JSON, nullable=False, server_default="[]"))
        table.drop_constraint("deliveries_once", type_="unique")
        table.create_unique_constraint("deliveries_once", ["alert_id", "seq", "recipient", "channel"])
    with op.batch_alter_table("deliveries", table_kwargs={"sqlite_autoincrement": True}) as table:
        table.alter_column("recipient", server_default=None)
        table.alter_column("left_channels", server_default=None)


def downgrade() -> None:
    with op.batch_alter_table("deliveries", table_kwargs={"sqlite_autoincrement": True}) as table:
        table.drop_constraint("deliveries_once", type_="unique")
        table.create_unique_constraint("deliveries_once", ["alert_id", "seq", "channel"])
        table.drop_column("left_channels")
        table.drop_column("recipient")
