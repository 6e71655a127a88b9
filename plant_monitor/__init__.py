"""Telemetry, compliance and cost sharing of one shared wastewater plant."""

__version__ = "0.1.0"
