"""The ledger: what must outlive everything and is written once: alerts, messages, statements, keys, accounts, audit."""

from plant_monitor.ledger.book import Ledger

__all__ = ["Ledger"]
