"""The ledger as one object."""

from __future__ import annotations

from plant_monitor.ledger.alerts import AlertLog
from plant_monitor.ledger.annotations import AnnotationLog
from plant_monitor.ledger.audit import AuditTrail
from plant_monitor.ledger.database import Database
from plant_monitor.ledger.deliveries import DeliveryLog
from plant_monitor.ledger.keys import KeyRing
from plant_monitor.ledger.laboratory import LabBook
from plant_monitor.ledger.mutes import MuteLog
from plant_monitor.ledger.objections import ObjectionBook
from plant_monitor.ledger.statements import StatementBook
from plant_monitor.ledger.users import UserBook
from plant_monitor.ledger.verdicts import VerdictBook


class Ledger:
    """Everything a ledger keeps, by subject. All of it may be used from any thread.

    ``url`` is a SQLAlchemy URL, ``sqlite:///FILE`` or ``postgresql+psycopg://USER:PASSWORD@HOST/NAME``; the
    tables are made or brought up to date at once.

    Raises
    ------
    StoreUnavailable  the database is out of reach
    StoreError        the URL is wrong, or a newer version of the product has written the ledger
    """

    def __init__(self, url: str) -> None:
        self._database = Database(url)
        self.alerts = AlertLog(self._database)
        self.deliveries = DeliveryLog(self._database)
        self.mutes = MuteLog(self._database)
        self.statements = StatementBook(self._database)
        self.objections = ObjectionBook(self._database)
        self.lab = LabBook(self._database)
        self.annotations = AnnotationLog(self._database)
        self.verdicts = VerdictBook(self._database)
        self.keys = KeyRing(self._database)
        self.users = UserBook(self._database)
        self.audit = AuditTrail(self._database)

    def close(self) -> None:
        """Close all connections."""
        self._database.close()
