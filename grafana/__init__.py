"""Grafana as code: `python -m grafana` writes the dashboards for a plant."""
