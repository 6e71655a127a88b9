"""A granted objection may have led to an annotation instead of a correction."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("objection_decisions", sa.Column("annotation", sa.Integer))


def downgrade() -> None:
    op.drop_column("objection_decisions", "annotation")
