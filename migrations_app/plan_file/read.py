"""Reading a plan file.

Reading reports all faults together, each with its path. ``${NAME}`` is replaced by the environment variable
(``$${NAME}`` stands for the text ``${NAME}``), and ``@path`` is replaced by the text of a certificate file.
A job stores the plan as it was written, without secrets, and separately the settings with their secrets
(``PlanFile.settings``).
"""

from __future__ import annotations

import copy
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from migrations_app import endpoints
from migrations_app.engine.endpoint import SettingsModel
from migrations_app.engine.errors import FerryError, PlanRefused
from migrations_app.engine.faults import Fault
from migrations_app.engine.model.plan import (
    CollectionPlan,
    FieldPlan,
    FullTextPlan,
    IndexPlan,
    Options,
    Plan,
    SourcePlan,
    TargetPlan,
    with_open_outside_select,
)
from migrations_app.engine.model.pydantic_faults import faults_of, field_names, locations, path_of
from migrations_app.engine.planning.unbuilt import unbuilt_faults
from migrations_app.plan_file.variables import VARIABLE
from migrations_app.plan_file.yaml_text import parse

PLAN_KEYS = field_names(
    Plan, SourcePlan, TargetPlan, Options, CollectionPlan, FieldPlan, FullTextPlan, IndexPlan
)


@dataclass(frozen=True, slots=True)
class PlanFile:
    """A plan file that was read. ``plan`` is the plan without its faulty parts, for the checks that need a
    connection (None if nothing is left)."""

    plan: Plan | None
    settings: dict[str, dict[str, Any]] = field(default_factory=dict, repr=False)
    faults: tuple[Fault, ...] = ()

    def checked(self) -> Plan:
        """Return the plan. Raises ``PlanRefused`` with all faults if the file has any."""
        if self.faults or self.plan is None:
            raise PlanRefused(self.faults)
        return self.plan


def read_plan(text: str, *, environ: Mapping[str, str], folder: Path) -> PlanFile:
    """Read a plan file; ``@path`` is relative to ``folder``. Errors in the file become faults."""
    try:
        raw = parse(text)
    except PlanRefused as refused:
        return PlanFile(None, faults=refused.faults)
    faults: list[Fault] = []
    expanded = _expand(raw, environ, (), faults)
    settings: dict[str, dict[str, Any]] = {}
    for role in ("source", "target"):
        faults += _take_settings(expanded, raw, role, folder, settings)
    plan = _prune(expanded, faults)
    if plan is not None:
        faults += unbuilt_faults(plan)
    return PlanFile(plan, settings, tuple(faults))


def read_opened_plan(text: str) -> PlanFile:
    """Read a plan file that a browser sent. The settings of its source and target are dropped unread: the
    user chooses saved connections. Neither variables nor files of this machine are read."""
    try:
        raw = parse(text)
    except PlanRefused as refused:
        return PlanFile(None, faults=refused.faults)
    faults: list[Fault] = []
    expanded = _expand(_without_settings(raw), {}, (), faults)
    faults = [
        replace(f, hint="Write the value itself: variables are read only on the command line.")
        if f.code == "variable_missing"
        else f
        for f in faults
    ]
    faults += _kind_faults(expanded)
    plan = _prune(expanded, faults)
    if plan is not None:
        faults += unbuilt_faults(plan)
    return PlanFile(plan, {}, tuple(faults))


def _without_settings(raw: dict[str, Any]) -> dict[str, Any]:
    ends = {role: raw[role] for role in ("source", "target") if isinstance(raw.get(role), dict)}
    return raw | {role: {k: v for k, v in end.items() if k != "settings"} for role, end in ends.items()}


def _kind_faults(data: dict[str, Any]) -> Iterator[Fault]:
    """Yield a fault for each end whose kind does not exist."""
    for role in ("source", "target"):
        block = data.get(role)
        if isinstance(block, dict) and "kind" in block:
            try:
                endpoints.endpoint_class(str(block["kind"]), is_target=role == "target")
            except FerryError as error:
                yield Fault(error.code, error.message, error.hint, f"{role}.kind")


def _expand(value: Any, environ: Mapping[str, str], at: tuple[int | str, ...], faults: list[Fault]) -> Any:
    if isinstance(value, dict):
        keys = [key for key in value if not _refused(key, at, faults)]
        return {k: _expand(value[k], environ, (*at, str(k)), faults) for k in keys}
    if isinstance(value, list):
        return [_expand(v, environ, (*at, n), faults) for n, v in enumerate(value)]
    if isinstance(value, str):
        names = {name for escape, name in VARIABLE.findall(value) if not escape}
        for name in sorted(names - set(environ)):
            message = f"The environment variable {name} is not set."
            faults.append(
                Fault("variable_missing", message, f"Set {name} before you run the command.", path_of(at))
            )
        value = VARIABLE.sub(lambda match: _expanded(match, environ), value)
    if _refused(value, at, faults):
        return "" if isinstance(value, str) else None
    return value


def _expanded(match: re.Match[str], environ: Mapping[str, str]) -> str:
    return match[0][1:] if match[1] else environ.get(match[2], match[0])


def _refused(value: Any, at: tuple[int | str, ...], faults: list[Fault]) -> bool:
    """True if a YAML key or value cannot be part of a plan, which must be valid JSON. Adds the fault."""
    if reason := _unfit(value):
        # The message does not contain the value: it may be a secret.
        faults.append(Fault("value_invalid", f"This key or value {reason}.", "Fix it.", path_of(at)))
    return bool(reason)


def _unfit(value: Any) -> str:
    """Return the problem with the value as the end of a sentence, or an empty text."""
    if value is None or isinstance(value, (bool, int)):
        return ""
    if isinstance(value, float):
        return "" if math.isfinite(value) else "is NaN or infinity; a plan takes finite numbers"
    if not isinstance(value, str):
        return "is neither text nor a number"
    if "\0" in value or any("\ud800" <= char <= "\udfff" for char in value):
        return "contains a character that text must not contain: NUL or half of a surrogate pair"
    return ""


def _take_settings(
    expanded: dict[str, Any],
    raw: dict[str, Any],
    role: str,
    folder: Path,
    settings: dict[str, dict[str, Any]],
) -> Iterator[Fault]:
    """Check the settings of an endpoint, and move them with their secrets from the plan to ``settings``."""
    block = expanded.get(role)
    if not isinstance(block, dict):
        return
    if ("connection" in block) == ("kind" in block or "settings" in block):
        message = f"“{role}” needs either a saved connection or a kind with its settings."
        hint = "Write “connection: NAME”, or “kind:” and “settings:”."
        yield Fault("connection_unclear", message, hint, role)
    if "kind" not in block:
        return
    try:
        model = endpoints.endpoint_class(str(block["kind"]), is_target=role == "target").Settings
    except FerryError as error:
        yield Fault(error.code, error.message, error.hint, f"{role}.kind")
        return
    given = block.get("settings") or {}
    if not isinstance(given, dict):
        return
    yield from _read_files(given, model, folder, role)
    yield from (fault.under(f"{role}.settings") for fault in endpoints.settings_faults(model, given))
    settings[role] = given
    block["settings"] = _public(raw[role].get("settings") or {}, model)


def _read_files(
    given: dict[str, Any], model: type[SettingsModel], folder: Path, role: str
) -> Iterator[Fault]:
    """Replace ``@path`` by the text of the file, in the settings that contain a certificate or a key."""
    for name, info in model.model_fields.items():
        extra = info.json_schema_extra if isinstance(info.json_schema_extra, dict) else {}
        value = given.get(name)
        if extra.get("widget") == "file" and isinstance(value, str) and value.startswith("@"):
            try:
                given[name] = (folder / value[1:]).read_text()
            except (OSError, ValueError) as error:
                del given[name]
                yield _unreadable(value[1:], error, f"{role}.settings.{name}")


def _unreadable(file: str, error: Exception, path: str) -> Fault:
    if isinstance(error, UnicodeDecodeError):
        hint = "Convert a certificate from DER to PEM with openssl."
        return Fault("file_unreadable", f"The file “{file}” is not text.", hint, path)
    reason = getattr(error, "strerror", None) or error
    return Fault("file_unreadable", f"The file “{file}” cannot be read: {reason}.", "Check the path.", path)


def _public(written: dict[str, Any], model: type[SettingsModel]) -> dict[str, Any]:
    """Settings as written, without secrets, except a secret written as ``${NAME}``."""
    secrets = endpoints.secret_names(model)
    return {k: v for k, v in written.items() if k not in secrets or _is_variable(str(v))}


def _is_variable(text: str) -> bool:
    match = VARIABLE.fullmatch(text)
    return match is not None and not match[1]


def _prune(data: dict[str, Any], faults: list[Fault]) -> Plan | None:
    """Return the plan in ``data`` without its faulty parts, and add their faults to ``faults``."""
    data = copy.deepcopy(data)
    if isinstance(data.get("collections"), list):
        data["collections"] = [with_open_outside_select(collection) for collection in data["collections"]]
    for first_try in (True, *[False] * 99):
        try:
            return Plan.model_validate(data)
        except ValidationError as error:
            if first_try:
                faults += faults_of(error, PLAN_KEYS)
            if not _cut(data, locations(error)[-1]):
                return None
    return None


def _cut(data: Any, location: tuple[int | str, ...]) -> bool:
    """Remove the innermost part of ``data`` on the path to ``location`` that can be left out.

    False if there is none.
    """
    blocks = [data]
    for part in location:
        block = blocks[-1]
        has_part = part in block if isinstance(block, dict) else isinstance(part, int) and part < len(block)
        if not isinstance(block, (dict, list)) or not has_part:
            break
        blocks.append(block[part])  # type: ignore[index]
    is_missing = len(blocks) <= len(location)
    depth = len(blocks) - 1
    if is_missing:  # a required key is missing: remove the list entry that needs it
        while depth and not isinstance(location[depth - 1], int):
            depth -= 1
    if not depth:
        return False
    parent, part = blocks[depth - 1], location[depth - 1]
    del parent[part]
    return True
