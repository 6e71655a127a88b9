"""The command line: one module a subject, put together in ``app``."""

from plant_monitor.cli.app import main

__all__ = ["main"]
