"""Properties of a mapping: every row is accounted for; written rows are unchanged and within limits."""

import json
import math

import numpy as np
import orjson
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from migrations_app.engine.mapping import compile_mapping
from migrations_app.engine.mapping.columns import AddedColumn, DynamicKeyColumn, FixedColumn
from migrations_app.engine.model.batch import Batch
from migrations_app.engine.model.limits import MAX_JSON_BYTES
from migrations_app.engine.model.literals import literal
from migrations_app.engine.model.plan import CollectionPlan
from migrations_app.engine.model.types import ELEMENT_TYPES, MilvusType, TypeSpec, arrow_type

T = MilvusType
TEXT = st.text(max_size=12)
BITS = {T.INT8: 8, T.INT16: 16, T.INT32: 32, T.INT64: 64}
JSON_TEXT = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
).map(json.dumps) | st.just('{"a": "%s"}' % ("x" * MAX_JSON_BYTES))
# NaN, infinity and NULL are frequent enough to occur and rare enough to leave good rows.
FLOATS = st.sampled_from([0.0, -0.0, 1.5, 2.0**127, 2.0**-149, math.nan, math.inf]) | st.floats(
    -(2.0**100), 2.0**100, width=32
)
HALVES = st.sampled_from(["0000", "0100", "007b", "7f7f", "ffff", "807f", "0080", "007c"]).map(bytes.fromhex)


def rarely_null(values):
    return st.integers(0, 9).flatmap(lambda n: values if n else st.none())


def value_of(spec):
    """Return values of the Arrow type of ``spec``, including those that Milvus refuses."""
    if spec.type in BITS:
        end = 1 << (BITS[spec.type] - 1)
        return st.integers(-end, end - 1)
    if spec.type is T.ARRAY:
        return st.lists(rarely_null(value_of(TypeSpec(spec.element_type))), max_size=4)
    return {
        T.BOOL: st.booleans(),
        T.FLOAT: FLOATS,
        T.DOUBLE: st.floats(),
        T.VARCHAR: TEXT,
        T.JSON: JSON_TEXT,
        T.FLOAT_VECTOR: st.lists(FLOATS, min_size=2, max_size=2),
        T.INT8_VECTOR: st.lists(st.integers(-128, 127), min_size=2, max_size=2),
        T.FLOAT16_VECTOR: st.tuples(HALVES, HALVES).map(b"".join),
        T.BFLOAT16_VECTOR: st.tuples(HALVES, HALVES).map(b"".join),
        T.BINARY_VECTOR: st.binary(min_size=1, max_size=1),
        T.SPARSE_FLOAT_VECTOR: st.dictionaries(st.integers(0, 2**32 - 1), FLOATS, max_size=3).map(
            lambda found: [{"index": i, "value": found[i]} for i in sorted(found)]
        ),
    }[spec.type]


SCALAR_SPECS = st.one_of(
    st.sampled_from([T.BOOL, *BITS, T.FLOAT, T.DOUBLE, T.JSON]).map(TypeSpec),
    st.integers(1, 12).map(lambda most: TypeSpec(T.VARCHAR, max_length=most)),
    st.builds(
        lambda element, items, most: TypeSpec(
            T.ARRAY,
            element_type=element,
            max_capacity=items,
            max_length=most if element is T.VARCHAR else None,
        ),
        st.sampled_from(sorted(ELEMENT_TYPES)),
        st.integers(1, 4),
        st.integers(1, 12),
    ),
)
VECTOR_SPECS = st.sampled_from(
    [
        *(TypeSpec(t, dim=2) for t in (T.FLOAT_VECTOR, T.FLOAT16_VECTOR, T.BFLOAT16_VECTOR, T.INT8_VECTOR)),
        TypeSpec(T.SPARSE_FLOAT_VECTOR),
        TypeSpec(T.BINARY_VECTOR, dim=8),
    ]
)
INT_KEYS = st.sampled_from([1, 2, 3, 4, 5, 6, 7, 8, 9, None])
TEXT_KEYS = st.sampled_from(["", "a", "A", "b", "c", "d", "cccc", "ä", "äää", None])


def plan_field(name, spec):
    parameters = {key: getattr(spec, key) for key in ("dim", "max_length", "max_capacity")}
    element = spec.element_type.value if spec.element_type else None
    return {"source": name, "type": spec.type.value, "element_type": element} | parameters


FILLS = {T.BOOL: True, T.FLOAT: 0.5, T.DOUBLE: 0.5, T.VARCHAR: "", T.JSON: {"f": 1}, T.ARRAY: []}


@st.composite
def fields(draw):
    found = [plan_field("v", draw(VECTOR_SPECS)) | {"target": "v"}]
    for number in range(draw(st.integers(0, 4))):
        name, spec = f"c{number}", draw(SCALAR_SPECS)
        field = plan_field(name, spec)
        if draw(st.booleans()):
            field["fill_null"] = FILLS.get(spec.type, 1)
        if draw(st.booleans()):
            found.append(field | {"dynamic": True, "as": name})
            continue
        field |= {"target": name, "nullable": draw(st.booleans())}
        if T.VARCHAR in (spec.type, spec.element_type) and draw(st.booleans()):
            field["too_long"] = "truncate"
        found.append(field)
    if draw(st.booleans()):
        found.append({"added": True, "target": "added", "type": "INT8", "fill_null": 7})
    key = TypeSpec(T.INT64) if draw(st.booleans()) else TypeSpec(T.VARCHAR, max_length=4)
    return [plan_field("k", key) | {"target": "k"}, *found]


@st.composite
def cases(draw):
    """A mapping and a batch for it, which is a slice of a larger one, as sources may deliver it."""
    plan = {"source": "s", "target": "t", "key": "k", "fields": draw(fields())}
    plan["absent_vectors"] = draw(st.sampled_from(["skip", "reject"]))
    mapping = compile_mapping(CollectionPlan.model_validate(plan))
    rows = draw(st.sampled_from([5, 8, 2, 1, 0]))
    arrays = []
    for column in mapping.read_plan.columns:
        values = rarely_null(value_of(column.spec))
        if column.path == "k":
            values = INT_KEYS if column.spec.type is T.INT64 else TEXT_KEYS
        arrays.append(pa.array(draw(st.lists(values, min_size=rows, max_size=rows)), arrow_type(column.spec)))
    names = [column.path for column in mapping.read_plan.columns]
    start = min(draw(st.integers(0, 2)), rows)
    locators = pa.array([str(n) for n in range(rows)], pa.string())
    whole = pa.RecordBatch.from_arrays(arrays, names=names)
    return mapping, Batch(whole.slice(start), rows, locators.slice(start))


def expected_value(row, column):
    """Return the value that is written if the row is not rejected: filled if NULL, cut if too long."""
    if isinstance(column, AddedColumn):
        return 7
    value = row[column.name]
    if value is None:
        return column.fill
    if isinstance(column, FixedColumn) and column.truncates:
        limit = column.target.spec.max_length
        texts = [item and shortened(item, limit) for item in ([value] if isinstance(value, str) else value)]
        return texts[0] if isinstance(value, str) else texts
    return value


def was_cut(row, column):
    if not isinstance(column, FixedColumn) or not column.truncates or row[column.name] is None:
        return False
    return expected_value(row, column) != row[column.name]


def shortened(text, limit):
    while len(text.encode()) > limit:
        text = text[:-1]
    return text


def is_kept(row, column):
    """Return True if the value is accepted: the same rules again, for single values and without Arrow."""
    value = expected_value(row, column)
    if isinstance(column, DynamicKeyColumn):
        numbers = value if isinstance(value, list) else [value]
        return not any(isinstance(n, float) and not math.isfinite(n) for n in numbers)
    spec = column.target.spec
    if value is None:
        return column.target.nullable
    if spec.type is T.VARCHAR:
        return len(value.encode()) <= spec.max_length
    if spec.type is T.JSON:
        kept = isinstance(json.loads(value), (dict, list, type(None)))
        return kept and len(value.encode()) <= MAX_JSON_BYTES
    if spec.type is T.ARRAY:
        texts = [item for item in value if isinstance(item, str)]
        return (
            len(value) <= spec.max_capacity
            and None not in value
            and all(len(text.encode()) <= spec.max_length for text in texts)
        )
    if spec.type is T.FLOAT_VECTOR:
        return all(map(math.isfinite, value))
    if spec.type is T.SPARSE_FLOAT_VECTOR:
        return all(0 <= item["value"] < math.inf and item["index"] < 2**32 - 1 for item in value)
    exponent = {T.FLOAT16_VECTOR: 0x7C00, T.BFLOAT16_VECTOR: 0x7F80}.get(spec.type)
    if exponent:
        return all(int.from_bytes(value[i : i + 2], "little") & exponent != exponent for i in (0, 2))
    return True


def fits_dynamic(row, columns):
    dynamic = [c for c in columns if isinstance(c, DynamicKeyColumn)]
    meta = {c.key: expected_value(row, c) for c in dynamic if c.read.spec.type is not T.JSON}
    raw = [expected_value(row, c) or "" for c in dynamic if c.read.spec.type is T.JSON]
    return len(orjson.dumps(meta)) + sum(len(text.encode()) + 8 for text in raw) <= MAX_JSON_BYTES


@given(cases())
def test_every_row_is_written_rejected_skipped_or_collapsed_for_the_right_reason(case):
    mapping, batch = case
    mapped = mapping.apply(batch)
    given_rows = dict(zip(batch.locators.to_pylist(), batch.rows.to_pylist(), strict=True))
    rejected = [r.locator for r in mapped.rejected]
    kept = mapped.locators.to_pylist()
    assert len(kept) + len(rejected) + mapped.skipped + mapped.collapsed == batch.rows.num_rows
    assert kept == sorted(kept, key=int)
    assert rejected == sorted(set(rejected), key=int)
    skips = next(c for c in mapping.columns if c.name == "v").skips_null
    good, skipped = {}, 0
    for locator, row in given_rows.items():
        if skips and row["v"] is None:
            skipped += 1
        elif all(is_kept(row, c) for c in mapping.columns) and fits_dynamic(row, mapping.columns):
            good.pop(row["k"], None)
            good[row["k"]] = locator
    assert list(good.values()) == kept
    cuts = [was_cut(given_rows[locator], c) for locator in kept for c in mapping.columns]
    assert mapped.cut == sum(cuts)
    assert skipped == mapped.skipped


@given(cases())
def test_written_rows_are_unchanged_and_fit_the_target_schema(case):
    mapping, batch = case
    mapped = mapping.apply(batch)
    mapped.rows.validate(full=True)
    assert mapped.rows.schema == mapping.target.arrow_schema()
    given_rows = dict(zip(batch.locators.to_pylist(), batch.rows.to_pylist(), strict=True))
    for field in mapped.rows.schema:
        assert field.nullable or mapped.rows.column(field.name).null_count == 0
    for locator, row in zip(mapped.locators.to_pylist(), mapped.rows.to_pylist(), strict=True):
        source, meta = given_rows[locator], json.loads(row.pop("$meta"))
        fixed = {
            c.target.name: expected_value(source, c)
            for c in mapping.columns
            if not isinstance(c, DynamicKeyColumn)
        }
        assert repr(row) == repr(fixed)
        for column in mapping.columns:
            if isinstance(column, DynamicKeyColumn):
                value = expected_value(source, column)
                is_text_of_json = column.read.spec.type is T.JSON and value is not None
                wanted = json.loads(value) if is_text_of_json else value
                assert in_float32(meta.pop(column.key), column.read.spec) == in_float32(
                    wanted, column.read.spec
                )
        assert meta == {}


def in_float32(value, spec):
    """Round to float32: JSON has the short form of a float32, such as 0.1, which differs as a double."""
    if T.FLOAT not in (spec.type, spec.element_type) or value is None:
        return value
    if isinstance(value, list):
        return [None if item is None else float(np.float32(item)) for item in value]
    return float(np.float32(value))


@given(cases())
def test_a_rejected_row_has_a_reason_and_its_values(case):
    mapping, batch = case
    for rejected in mapping.apply(batch).rejected:
        assert rejected.code
        assert rejected.reason.endswith(".")
        assert rejected.field in {"$meta", *(c.name for c in mapping.columns)}
        assert set(orjson.loads(rejected.row)) == {read.path for read in mapping.read_plan.columns}


@given(SCALAR_SPECS, st.from_type(object) | JSON_TEXT | st.lists(TEXT | st.integers(), max_size=5))
def test_a_value_in_a_plan_is_accepted_exactly_or_refused_with_a_message(spec, value):
    try:
        taken = literal(value, spec)
    except ValueError as refused:
        taken = refused
    if isinstance(taken, ValueError):
        assert str(taken).endswith(".")
    else:
        assert pa.scalar(taken, arrow_type(spec)).is_valid
