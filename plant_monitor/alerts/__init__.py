"""Alerts: which exceedance opens, grows or ends one (pure), and how people are told (edge)."""
