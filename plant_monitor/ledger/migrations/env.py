"""Alembic runs this file. The connection is handed in by ``database.migrate``; there is no offline mode."""

from alembic import context

from plant_monitor.ledger.tables import metadata

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=metadata, render_as_batch=True)
context.run_migrations()
