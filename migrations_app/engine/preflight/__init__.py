"""Preflight: finds the faults of a plan before anything is written.

It reports all faults at once, each with its place in the plan and often with a fix. ``check_collection``
looks only at a completed plan; the wizard calls it after each change. ``check_plan`` also connects to the
source and the target.
"""

from migrations_app.engine.preflight.plan import Preflight, PreparedCollection, check_plan
from migrations_app.engine.preflight.rules.all_rules import check_collection

__all__ = ["Preflight", "PreparedCollection", "check_collection", "check_plan"]
