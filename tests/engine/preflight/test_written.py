"""The lines of a plan file that fix a fault: YAML reads from them what the rule meant."""

import pytest
import yaml

from migrations_app.engine.faults import Fault, Fix
from migrations_app.engine.model.plan import CollectionPlan
from migrations_app.engine.preflight.written import as_written


@pytest.mark.parametrize("name", ["title", "null", "Yes", "123", "1e3", "x: y", 'a"b', "größe", "a #b"])
def test_a_typed_name_stays_a_text(name):
    plan = CollectionPlan.model_validate({"source": "t", "fields": [{"source": name}]})
    fault = Fault("code", "", path="fields[0]", field=name, fixes=(Fix("Leave it out", "include", "false"),))
    alone = plan.model_copy(update={"fields": None})
    (in_list,) = as_written(fault, plan, plan).typed
    (whole,) = as_written(fault, alone, plan).typed
    assert yaml.safe_load(in_list) == {"source": name, "include": False}
    assert yaml.safe_load(whole) == {
        "override": True,
        "fields": [{"source": name, "include": False}],
    }


def test_a_plan_with_override_gets_an_entry_for_its_list():
    data = {"source": "t", "override": True, "fields": [{"source": "a"}]}
    plan = CollectionPlan.model_validate(data)
    completed = CollectionPlan.model_validate({"source": "t", "fields": [{"source": "a"}, {"source": "b"}]})
    fault = Fault("code", "", path="fields[1]", field="b", fixes=(Fix("Leave it out", "include", "false"),))
    assert as_written(fault, plan, completed).typed == ("{source: b, include: false}",)
