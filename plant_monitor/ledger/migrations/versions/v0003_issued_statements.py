"""Statements that are issued once and corrected by further documents; the database itself keeps them as they are."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

# What a number stands for. Only the state may change, and who issued it when is added with that.
CONTENT = (
    "id", "number", "period", "created_ms", "plant_digest", "digest", "total_fen", "document", "lines", "volumes",
    "kind", "predecessor", "cause", "plant_text",
)  # fmt: skip
_ISSUED = "state = 'issued' AND kind = 'statement'"
_HAS_PREDECESSOR = "predecessor <> ''"
_TEXTS = ("predecessor", "cause", "issued_by", "override_reason", "plant_text")


def upgrade() -> None:
    op.add_column("statements", sa.Column("kind", sa.String(16), nullable=False, server_default="statement"))
    op.add_column("statements", sa.Column("predecessor", sa.String(64), nullable=False, server_default=""))
    op.add_column("statements", sa.Column("cause", sa.Text, nullable=False, server_default=""))
    op.add_column("statements", sa.Column("issued_ms", sa.BigInteger))
    op.add_column("statements", sa.Column("issued_by", sa.String(128), nullable=False, server_default=""))
    op.add_column("statements", sa.Column("override_reason", sa.Text, nullable=False, server_default=""))
    op.add_column("statements", sa.Column("plant_text", sa.Text, nullable=False, server_default=""))
    for name, column, where in (
        ("statements_issued_once", "period", _ISSUED),
        ("statements_one_successor", "predecessor", _HAS_PREDECESSOR),
    ):
        text = sa.text(where)
        op.create_index(name, "statements", [column], unique=True, sqlite_where=text, postgresql_where=text)
    _protect()


def _protect() -> None:
    """Triggers that refuse to delete a statement, or to change more than a draft's state."""
    message = "a statement never changes: a draft is issued or superseded once, and no row is deleted"
    states = "OLD.state <> 'draft' OR NEW.state NOT IN ('issued', 'superseded')"
    if op.get_bind().dialect.name == "sqlite":
        changed = " OR ".join([states, *(f"NEW.{c} IS NOT OLD.{c}" for c in CONTENT)])
        refuse = f"BEGIN SELECT RAISE(ABORT, '{message}'); END"
        op.execute(f"CREATE TRIGGER statements_no_delete BEFORE DELETE ON statements {refuse}")
        op.execute(f"CREATE TRIGGER statements_frozen BEFORE UPDATE ON statements WHEN {changed} {refuse}")
        return
    # json has no equality of its own, so columns are compared as text.
    changed = " OR ".join([states, *(f"NEW.{c}::text IS DISTINCT FROM OLD.{c}::text" for c in CONTENT)])
    op.execute(
        "CREATE FUNCTION refuse_statement_change() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN IF TG_OP = 'DELETE' THEN RAISE EXCEPTION '{message}'; END IF; "
        f"IF {changed} THEN RAISE EXCEPTION '{message}'; END IF; RETURN NEW; END $$"
    )
    op.execute(
        "CREATE TRIGGER statements_frozen BEFORE UPDATE OR DELETE ON statements "
        "FOR EACH ROW EXECUTE FUNCTION refuse_statement_change()"
    )


def downgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        op.execute("DROP TRIGGER statements_frozen")
        op.execute("DROP TRIGGER statements_no_delete")
    else:
        op.execute("DROP TRIGGER statements_frozen ON statements")
        op.execute("DROP FUNCTION refuse_statement_change()")
    op.drop_index("statements_issued_once", "statements")
    op.drop_index("statements_one_successor", "statements")
    for column in ("kind", *_TEXTS, "issued_ms"):
        op.drop_column("statements", column)
