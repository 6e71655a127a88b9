"""The HTTP API of design §4.8: what members, officers and operators may read, and the little they may do."""

from plant_monitor.api.app import create_app
from plant_monitor.api.services import ApiServices

__all__ = ["ApiServices", "create_app"]
