"""Mappings for tests: short ways to write a mapping and a batch for it."""

import pyarrow as pa

from migrations_app.engine.mapping import compile_mapping
from migrations_app.engine.model.batch import Batch
from migrations_app.engine.model.plan import CollectionPlan
from migrations_app.engine.model.types import arrow_type

KEY = {"source": "id", "target": "id", "type": "INT64"}
VECTOR = {"source": "v", "target": "v", "type": "FLOAT_VECTOR", "dim": 2}


def mapping_of(*fields, **options):
    plan = {"source": "s", "target": "t", "key": "id", "fields": [KEY, VECTOR, *fields]} | options
    return compile_mapping(CollectionPlan.model_validate(plan))


def batch_of(mapping, **columns):
    """Return a batch as a source delivers it. Columns are lists of values; ids and vectors are optional."""
    rows = len(next(iter(columns.values())))
    columns = {"id": list(range(rows)), "v": [[1.0, 2.0]] * rows} | columns
    plan = mapping.read_plan.columns
    arrays = [pa.array(columns[c.path], arrow_type(c.spec)) for c in plan]
    locators = pa.array([f"row {n}" for n in range(rows)])
    return Batch(pa.RecordBatch.from_arrays(arrays, names=[c.path for c in plan]), rows, locators)


def applied(mapping, **columns):
    return mapping.apply(batch_of(mapping, **columns))


def text(name="t", max_length=8, **options):
    return {"source": name, "target": name, "type": "VARCHAR", "max_length": max_length} | options


def array(element="INT64", max_capacity=2, **options):
    return {
        "source": "a",
        "target": "a",
        "type": "ARRAY",
        "element_type": element,
        "max_capacity": max_capacity,
    } | options


def codes(mapped):
    return [(r.locator, r.field, r.code) for r in mapped.rejected]


def dynamic(name, type_, key=None, **options):
    return {"source": name, "dynamic": True, "as": key or name, "type": type_} | options
