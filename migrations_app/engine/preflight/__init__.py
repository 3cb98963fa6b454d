"""What cannot work, found before anything is written: all faults at once, each with its place and its repair.

``check_collection`` looks at a completed plan alone, as the wizard does with every change; ``check_plan``
connects to both ends as well.
"""

from migrations_app.engine.preflight.plan import Preflight, PreparedCollection, check_plan
from migrations_app.engine.preflight.rules.collection import check_collection

__all__ = ["Preflight", "PreparedCollection", "check_collection", "check_plan"]
