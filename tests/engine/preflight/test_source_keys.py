"""Keys of a plan that the source defines: ``select`` and ``source_options``."""

from __future__ import annotations

import json
from typing import Any

from migrations_app.engine.model.plan import Plan
from migrations_app.engine.preflight import Preflight, check_plan
from migrations_app.engine.read_context import ReadContext
from tests.kit import MemoryDatabase, MemoryTarget, memory_database
from tests.kit.form_source import FormSettings, FormSource


def checked(**keys: Any) -> Preflight:
    ends = {"source": {"kind": "forms"}, "target": {"kind": "memory"}}
    plan = Plan.model_validate({"version": 1, **ends, "collections": [{"source": "articles", **keys}]})
    with memory_database(MemoryDatabase()) as settings:
        return check_plan(
            plan, FormSource(FormSettings(address="a")), MemoryTarget(settings, "default"), ReadContext()
        )


def test_every_fault_of_the_selection_and_the_options_has_its_path() -> None:
    found = checked(
        select={"namespaces": ["ns_001", "ns_001"], "order": "random", "at_least": 101},
        source_options={"dates": "iso", "factor": "much", "languages": ["en", "xx"], "langages": []},
    )
    paths = {fault.path.removeprefix("collections[0]."): fault for fault in found.faults}
    assert set(paths) == {
        *("select.namespaces", "select.order", "select.at_least"),
        *("source_options.factor", "source_options.languages[1]", "source_options.langages"),
    }
    assert paths["source_options.factor"].message == "“factor” must be a number, not “much”."
    assert paths["source_options.langages"].hint == "Did you mean “languages”?"
    assert {fault.collection for fault in found.faults} == {"articles"}


def test_a_value_that_the_source_does_not_list_is_refused() -> None:
    [fault] = checked(select={"namespaces": ["", " padded ", "padded"]}).faults
    assert (fault.path, fault.code) == ("collections[0].select.namespaces[2]", "value_unknown")
    assert fault.message == "“padded” is not among the namespaces of “articles”."


def test_the_source_is_asked_with_the_selection_and_the_options() -> None:
    select, options = {"namespaces": ["ns_001"]}, {"with_scores": True, "dates": "iso"}
    [collection] = checked(select=select, source_options=options).collections
    assert collection.schema.field("score") is not None
    assert collection.schema.sample is not None
    received = json.loads(collection.schema.sample.column("received")[0].as_py())
    assert (received["select"], received["source_options"]) == (select, options)
    assert collection.plan.source_options == options
