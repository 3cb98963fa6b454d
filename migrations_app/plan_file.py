"""The plan as a file: YAML in, every fault at once with its path; YAML out, without a secret.

``${NAME}`` is taken from the environment (``$${NAME}`` is ``${NAME}`` itself), ``@path`` reads a certificate.
What is kept with a job is the plan as it was written (``public``), and apart from it the settings with
their secrets (``settings``).
"""

from __future__ import annotations

import copy
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from migrations_app import endpoints
from migrations_app.engine.endpoint import SettingsModel
from migrations_app.engine.errors import Fault, FerryError, PlanRefused
from migrations_app.engine.model.plan import (
    CollectionPlan,
    FieldPlan,
    FullTextPlan,
    IndexPlan,
    Options,
    Plan,
    SourcePlan,
    TargetPlan,
    unbuilt_faults,
)
from migrations_app.engine.model.pydantic_faults import faults_of, field_names, locations, path_of
from migrations_app.models import Job

PLAN_KEYS = field_names(
    Plan, SourcePlan, TargetPlan, Options, CollectionPlan, FieldPlan, FullTextPlan, IndexPlan
)
VARIABLE = re.compile(r"(\$?)\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
MAX_BYTES = 4 * 1024 * 1024
_AS_WRITTEN = {("source", "settings"), ("target", "settings")}
# Values and blocks, those behind aliases counted each time: a few lines can stand for millions.
MAX_NODES = 200_000


@dataclass(frozen=True, slots=True)
class PlanFile:
    """A plan that was read. ``faults`` is what is wrong with the file; ``plan`` is what is left without
    the faulty parts, for the checks that need a connection (None where nothing is left)."""

    plan: Plan | None
    settings: dict[str, dict[str, Any]] = field(default_factory=dict, repr=False)
    faults: tuple[Fault, ...] = ()

    def checked(self) -> Plan:
        """The plan, if the file holds no fault. Raises ``PlanRefused`` with all of them."""
        if self.faults or self.plan is None:
            raise PlanRefused(self.faults)
        return self.plan


class _Loader(yaml.SafeLoader):
    """YAML without dates (a plan has none: they stay text) and without a key written twice."""


def _mapping(loader: _Loader, node: yaml.MappingNode) -> dict[Any, Any]:
    seen: set[Any] = set()
    for key_node, _ in node.value:
        key = loader.construct_object(key_node)  # type: ignore[no-untyped-call]
        if isinstance(key, (list, dict)) or key in seen:
            raise yaml.MarkedYAMLError(
                problem=f"the key “{key}” is there twice", problem_mark=key_node.start_mark
            )
        seen.add(key)
    return loader.construct_mapping(node, deep=True)


_Loader.add_constructor("tag:yaml.org,2002:map", _mapping)
_Loader.add_constructor("tag:yaml.org,2002:timestamp", lambda loader, node: node.value)


def read_plan(text: str, *, environ: Mapping[str, str], folder: Path) -> PlanFile:
    """Read a plan file. ``folder`` is where ``@path`` starts. Never raises for what the file says."""
    try:
        raw = _parse(text)
    except PlanRefused as refused:
        return PlanFile(None, faults=refused.faults)
    faults: list[Fault] = []
    expanded = _expand(raw, environ, (), faults)
    settings: dict[str, dict[str, Any]] = {}
    for end in ("source", "target"):
        faults += _take_settings(expanded, raw, end, folder, settings)
    plan = _prune(expanded, faults)
    if plan is not None:
        faults += unbuilt_faults(plan)
    return PlanFile(plan, settings, tuple(faults))


def _parse(text: str) -> dict[str, Any]:
    if len(text) > MAX_BYTES:
        raise PlanRefused((Fault("plan_too_large", f"The plan is larger than {MAX_BYTES:,} bytes."),))
    try:
        raw = yaml.load(text, _Loader)
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise PlanRefused((_yaml_fault(error),)) from None
    if _nodes(raw, {}) > MAX_NODES:
        message = f"The plan, with its aliases written out, has more than {MAX_NODES:,} entries."
        raise PlanRefused((Fault("plan_too_large", message, "Write several plans, or fewer aliases."),))
    if not isinstance(raw, dict):
        hint = "It starts with “version: 1”, then “source:”, “target:” and “collections:”."
        raise PlanRefused((Fault("plan_invalid", "The file does not hold a plan.", hint),))
    return raw


def _nodes(value: Any, counted: dict[int, int]) -> int:
    """How many nodes a tree has once its shared parts are copied; each part is walked once."""
    if not isinstance(value, (dict, list)):
        return 1
    if id(value) not in counted:
        # A part within itself counts as endless.
        counted[id(value)] = MAX_NODES + 1
        inside = value.values() if isinstance(value, dict) else value
        counted[id(value)] = 1 + sum(_nodes(part, counted) for part in inside)
    return counted[id(value)]


def _yaml_fault(error: Exception) -> Fault:
    mark = getattr(error, "problem_mark", None)
    where = f" in line {mark.line + 1}, column {mark.column + 1}" if mark else ""
    problem = getattr(error, "problem", None) or getattr(error, "reason", None) or "it cannot be read"
    return Fault("yaml_invalid", f"The plan is not valid YAML{where}: {problem}.", "Mend that line.")


def _expand(value: Any, environ: Mapping[str, str], at: tuple[int | str, ...], faults: list[Fault]) -> Any:
    if isinstance(value, dict):
        fit = [key for key in value if not _refused(key, at, faults)]
        return {k: _expand(value[k], environ, (*at, str(k)), faults) for k in fit}
    if isinstance(value, list):
        return [_expand(v, environ, (*at, n), faults) for n, v in enumerate(value)]
    if isinstance(value, str):
        named = {name for escape, name in VARIABLE.findall(value) if not escape}
        for name in sorted(named - set(environ)):
            message = f"The environment variable {name} is not set."
            faults.append(
                Fault("variable_missing", message, f"Set {name} before the plan is read.", path_of(at))
            )
        value = VARIABLE.sub(lambda found: _expanded(found, environ), value)
    if _refused(value, at, faults):
        return "" if isinstance(value, str) else None
    return value


def _expanded(found: re.Match[str], environ: Mapping[str, str]) -> str:
    return found[0][1:] if found[1] else environ.get(found[2], found[0])


def _refused(value: Any, at: tuple[int | str, ...], faults: list[Fault]) -> bool:
    """Whether a key or value of YAML has no place in a plan, which is JSON at heart; then why."""
    if reason := _unfit(value):
        # It may be a secret: it is not repeated.
        faults.append(Fault("value_invalid", f"What is written here {reason}.", "Mend it.", path_of(at)))
    return bool(reason)


def _unfit(value: Any) -> str:
    """What is wrong with it; empty where nothing is."""
    if value is None or isinstance(value, (bool, int)):
        return ""
    if isinstance(value, float):
        return "" if math.isfinite(value) else "is NaN or infinity; a plan takes finite numbers"
    if not isinstance(value, str):
        return "is neither text nor a number"
    if "\0" in value or any("\ud800" <= char <= "\udfff" for char in value):
        return "holds a character that no text has: NUL or half a surrogate pair"
    return ""


def _take_settings(
    expanded: dict[str, Any], raw: dict[str, Any], end: str, folder: Path, settings: dict[str, dict[str, Any]]
) -> Iterator[Fault]:
    """Check one end's written-out settings and move them, secrets included, from the plan to ``settings``."""
    block = expanded.get(end)
    if not isinstance(block, dict):
        return
    if ("connection" in block) == ("kind" in block or "settings" in block):
        message = f"“{end}” needs either a saved connection or a kind with its settings."
        hint = "Write “connection: NAME”, or “kind:” and “settings:”."
        yield Fault("connection_unclear", message, hint, end)
    if "kind" not in block:
        return
    try:
        model = endpoints.endpoint_class(str(block["kind"]), is_target=end == "target").Settings
    except FerryError as error:
        yield Fault(error.code, error.message, error.hint, f"{end}.kind")
        return
    given = block.get("settings") or {}
    if not isinstance(given, dict):
        return
    yield from _read_files(given, model, folder, end)
    yield from (fault.under(f"{end}.settings") for fault in endpoints.settings_faults(model, given))
    settings[end] = given
    block["settings"] = _public(raw[end].get("settings") or {}, model)


def _read_files(given: dict[str, Any], model: type[SettingsModel], folder: Path, end: str) -> Iterator[Fault]:
    """Replace ``@path`` by the file's text, in the settings that hold a certificate or key."""
    for name, info in model.model_fields.items():
        extra = info.json_schema_extra if isinstance(info.json_schema_extra, dict) else {}
        value = given.get(name)
        if extra.get("widget") == "textarea" and isinstance(value, str) and value.startswith("@"):
            try:
                given[name] = (folder / value[1:]).read_text()
            except (OSError, UnicodeDecodeError, ValueError) as error:
                del given[name]
                why = getattr(error, "strerror", None) or error
                message = f"The file “{value[1:]}” cannot be read: {why}."
                yield Fault("file_unreadable", message, "Check the path.", f"{end}.settings.{name}")


def _public(written: dict[str, Any], model: type[SettingsModel]) -> dict[str, Any]:
    """Settings as written, without a secret typed in: only ``${NAME}`` stays in its place."""
    secrets = endpoints.secret_names(model)
    return {k: v for k, v in written.items() if k not in secrets or _is_variable(str(v))}


def _is_variable(text: str) -> bool:
    found = VARIABLE.fullmatch(text)
    return found is not None and not found[1]


def _prune(data: dict[str, Any], faults: list[Fault]) -> Plan | None:
    """The plan in ``data``; where parts are faulty, their faults, and the plan without these parts."""
    data = copy.deepcopy(data)
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
    """Remove the innermost part of ``data`` on the way to ``location`` that may be left out."""
    way = [data]
    for part in location:
        inside = way[-1]
        has = part in inside if isinstance(inside, dict) else isinstance(part, int) and part < len(inside)
        if not isinstance(inside, (dict, list)) or not has:
            break
        way.append(inside[part])  # type: ignore[index]
    missing = len(way) <= len(location)
    depth = len(way) - 1
    if missing:  # a required key is not there: drop the list entry that lacks it
        while depth and not isinstance(location[depth - 1], int):
            depth -= 1
    if not depth:
        return False
    parent, part = way[depth - 1], location[depth - 1]
    del parent[part]
    return True


def dump_yaml(plan: dict[str, Any]) -> str:
    """A plan's data as a file, in the order of the documentation.

    Settings stand as they were written; elsewhere ``${NAME}`` is a part of a name, and stays one.
    """
    text: str = yaml.safe_dump(_escaped(plan), sort_keys=False, allow_unicode=True, width=120)
    return text


def _escaped(value: Any, at: tuple[str, ...] = ()) -> Any:
    if isinstance(value, dict):
        return {k: v if (*at, k) in _AS_WRITTEN else _escaped(v, (*at, k)) for k, v in value.items()}
    if isinstance(value, list):
        return [_escaped(item, (*at, "")) for item in value]
    return VARIABLE.sub(r"$\g<0>", value) if isinstance(value, str) else value


def job_data(job: Job) -> dict[str, Any]:
    """The plan of a job, its collections as they were completed in preparation. Holds no secret."""
    plan: dict[str, Any] = job.plan
    completed = {row.position: _short(row.completed) for row in job.collections.all()}
    collections = [completed.get(number) or given for number, given in enumerate(plan["collections"])]
    return {**plan, "collections": collections}


def _short(plan: CollectionPlan) -> dict[str, Any]:
    """A collection's plan without the values that equal their defaults."""
    return plan.model_dump(mode="json", by_alias=True, exclude_defaults=True)


def job_yaml(job: Job) -> str:
    """The plan of a job as a file that runs again on an empty target."""
    return dump_yaml(job_data(job))
