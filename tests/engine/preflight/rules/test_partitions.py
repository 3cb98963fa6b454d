"""Partitions by the values of a field: names, rows by partition, equal keys, and options that are refused."""

from collections import Counter
from dataclasses import replace

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from migrations_app.engine.mapping import compile_mapping
from migrations_app.engine.model.batch import Batch
from migrations_app.engine.model.names import name_problem
from migrations_app.engine.model.partition_names import (
    groups,
    names_of_source_partitions,
    partition_names,
)
from migrations_app.engine.model.plan import CollectionPlan, Plan
from migrations_app.engine.model.types import MilvusType, TypeSpec
from migrations_app.engine.pipeline.pipeline import SliceEnd
from migrations_app.engine.planning.defaults import complete
from migrations_app.engine.preflight import check_plan
from migrations_app.engine.read_context import ReadContext
from migrations_app.engine.verification.partition_counts import check_partitions
from tests.engine.pipeline.moves import move_of_books
from tests.engine.preflight.preflights import T, faults_of, field, schema, the_fault
from tests.kit import (
    MemoryDatabase,
    MemorySource,
    MemoryStore,
    MemoryTarget,
    memory_collection,
    memory_database,
    memory_store,
    partitioned_by,
)
from tests.kit.memory_target import EVERYTHING

TEXTS = st.text(max_size=8)


# ---------------------------------------------------------------- names


@given(st.lists(TEXTS))
def test_each_value_gets_a_legal_name_of_a_partition_that_no_other_value_has(values):
    names = partition_names(values, {})

    assert set(names) == set(values)
    assert len(set(names.values())) == len(names)
    assert "_default" not in names.values()
    assert not [name for name in names.values() if name_problem(name, "partition")]


@given(st.lists(TEXTS), st.lists(TEXTS))
def test_a_value_keeps_its_name_when_other_values_are_added(values, later):
    names = partition_names(values, {})

    again = partition_names([*later, *values], names)

    assert {value: again[value] for value in names} == names


def test_names_are_similar_to_their_values():
    assert partition_names(["en-GB", "en_GB", "7", "", "_default", "żółć"], {"en_GB": "British"}) == {
        "en_GB": "British",
        "": "_b1fe",
        "7": "_7_b0ae",
        "_default": "_default_346b",
        "en-GB": "en_GB_fb1d",
        "żółć": "zolc_e3c1",
    }


@given(st.lists(TEXTS), st.lists(TEXTS))
def test_a_name_does_not_depend_on_the_other_values(values, others):
    alone, among = partition_names(values, {}), partition_names([*values, *others], {})
    assert {value: among[value] for value in values} == alone


# ---------------------------------------------------------------- rows


def mapping_of(**changes):
    plan = {
        "source": "books",
        "target": "books",
        "key": "id",
        "dynamic_field": False,
        "fields": [{"source": "id", "target": "id", "type": "INT64"}],
        "partition_by": "lang",
        "partitions": {"en": "en", "de": "de"},
    }
    key_per_partition = changes.pop("key_per_partition", True)
    collection = CollectionPlan.model_validate(plan | changes)
    return compile_mapping(collection, key_per_partition=key_per_partition)


def batch_of(ids, langs):
    rows = pa.record_batch({"id": pa.array(ids, pa.int64()), "lang": pa.array(langs, pa.string())})
    return Batch(rows, None, pa.array([str(i) for i in ids], pa.string()))


def rows_by_partition(mapped):
    keys = mapped.rows.column("id").to_pylist()
    return {name: [keys[row] for row in rows] for name, rows in groups(mapped.partitions)}


def test_each_row_goes_into_the_partition_of_its_value_and_null_into_the_default_one():
    mapped = mapping_of().apply(batch_of([1, 2, 3, 4, 5], ["en", None, "de", "en", None]))

    assert rows_by_partition(mapped) == {"en": [1, 4], "de": [3], "_default": [2, 5]}
    assert mapped.rows.schema.names == ["id"]


def test_rows_with_an_unknown_value_are_rejected():
    mapped = mapping_of().apply(batch_of([1, 2, 3], ["en", "fr", None]))

    assert rows_by_partition(mapped) == {"en": [1], "_default": [3]}
    (rejected,) = mapped.rejected
    assert (rejected.locator, rejected.field, rejected.code) == ("2", "lang", "partition_unknown")
    assert "“fr”" in rejected.reason


@given(st.lists(st.tuples(st.integers(0, 5), st.sampled_from(["en", "de", None])), max_size=30))
def test_the_last_row_with_equal_keys_in_each_partition_stays(rows):
    mapped = mapping_of().apply(batch_of([key for key, _ in rows], [lang for _, lang in rows]))

    kept = {(key, lang or "_default") for key, lang in rows}
    assert {(key, name) for name, keys in rows_by_partition(mapped).items() for key in keys} == kept
    assert (mapped.rows.num_rows, mapped.collapsed) == (len(kept), len(rows) - len(kept))


@given(st.lists(st.tuples(st.integers(0, 5), st.sampled_from(["en", "de", None])), max_size=30))
def test_only_the_last_row_with_equal_keys_stays_if_the_target_has_one_row_per_key(rows):
    batch = batch_of([key for key, _ in rows], [lang for _, lang in rows])

    mapped = mapping_of(key_per_partition=False).apply(batch)

    found = {key: name for name, keys in rows_by_partition(mapped).items() for key in keys}
    assert found == {key: lang or "_default" for key, lang in dict(rows).items()}
    assert mapped.rows.num_rows == len(dict(rows))


def test_auto_id_keeps_every_row():
    mapped = mapping_of(key="auto", key_name="auto").apply(batch_of([1, 1], ["en", "en"]))

    assert rows_by_partition(mapped) == {"en": [1, 1]}


def test_the_partitioning_field_may_be_moved_as_another_type():
    fields = [{"source": "id", "target": "id", "type": "INT64"}]
    mapping = mapping_of(partition_by="id", partitions={"1": "one"}, fields=fields)

    assert [(read.path, read.spec.type) for read in mapping.read_plan.columns] == [
        ("id", MilvusType.INT64),
        ("id", MilvusType.VARCHAR),
    ]


@pytest.mark.parametrize("auto_id", [False, True])
def test_the_rows_arrive_in_their_partitions(auto_id):
    with move_of_books(200, auto_id=auto_id) as move:
        titles = {f"Book {number}": f"p{number % 7}" for number in range(0, 200)}
        partitioned = CollectionPlan.model_validate(
            {"source": "books", "target": "x", "partition_by": "title"}
        )
        by = compile_mapping(partitioned.model_copy(update={"partitions": titles, "key": "id"})).partitioning
        reads = (*move.mapping.read_plan.columns, by.read)
        plan = replace(move.mapping.read_plan, columns=reads)
        move.mapping = replace(move.mapping, partitioning=by, read_plan=plan)
        stored = move.target_store.collections["books"]
        stored.partitions += sorted(set(titles.values()))

        assert move.run() is SliceEnd.DONE

        assert Counter(stored.partition_of.values()) == Counter(titles.values())
        assert all(stored.partition_of[slot] == titles[row["title"]] for slot, row in stored.rows.items())


def test_all_rows_of_a_slice_go_into_the_partition_of_the_slice(monkeypatch):
    with move_of_books(50) as move:
        stored = move.target_store.collections["books"]
        stored.partitions.append("all")
        part = replace(move.part, partition="")
        move.mapping = replace(move.mapping, source_partitions={"": "all", "other": "x"})
        monkeypatch.setattr(type(move), "part", part)

        move.run()

        assert Counter(stored.partition_of.values()) == {"all": 50}


# ---------------------------------------------------------------- options in a plan

LANG = field("lang", T.VARCHAR)


def partitioned(**plan):
    return {"partition_by": "lang"} | plan


@pytest.mark.parametrize(
    ("plan", "code", "path"),
    [
        (partitioned(partition_key="lang"), "partition_both", "partition_by"),
        (partitioned(partition_by="language"), "partition_by_unknown", "partition_by"),
        (partitioned(partition_by="v"), "partition_by_type", "partition_by"),
        (partitioned(partition_by="price"), "partition_by_type", "partition_by"),
        (partitioned(partition_by="doc"), "partition_by_type", "partition_by"),
        (partitioned(partitions={"en": "a b"}), "name_illegal", "partitions.en"),
        (partitioned(partitions={"en": "_default"}), "name_duplicate", "partitions.en"),
        ({"partitions": {"en": "en"}}, "option_misplaced", "partitions"),
    ],
)
def test_impossible_partition_options_are_refused(plan, code, path):
    fault = the_fault(plan, LANG, field("price", T.DOUBLE), field("doc", T.JSON))

    assert (fault.code, fault.path) == (code, path)


def test_two_values_with_the_same_partition_are_refused():
    found = faults_of(partitioned(partitions={"en": "x", "de": "x", "fr": "fr"}), LANG)

    assert [fault.path for fault in found] == ["partitions.en", "partitions.de"]


# ---------------------------------------------------------------- partitions of the source

SPACES = ("", "b c", "ns_a")
NAMED = {"": "nameless", "b c": "b", "ns_a": "a"}


def test_the_partitions_of_a_source_are_kept_by_default_if_the_source_says_so():
    assert completed(keeps_partitions=True).partitions == {"": "_default", "b c": "b_c_502a", "ns_a": "ns_a"}
    assert completed().partitions is None
    assert completed({"partitions": {}}, keeps_partitions=True).partitions == {}
    with_key = completed({"partition_key": "lang"}, keeps_partitions=True)
    assert with_key.partitions == {}


def completed(plan=None, **facts):
    collection = CollectionPlan.model_validate({"source": "public.books"} | (plan or {}))
    return complete(collection, schema(LANG, partitions=SPACES, **facts), EVERYTHING)


@given(st.lists(TEXTS, unique=True))
def test_each_partition_of_a_source_gets_its_own_legal_name(partitions):
    names = names_of_source_partitions(partitions, {})

    assert list(names) == partitions
    assert len(set(names.values())) == len(partitions)
    assert not [name for name in names.values() if name_problem(name, "partition")]


@pytest.mark.parametrize(
    ("plan", "code", "path"),
    [
        ({"partitions": {"": "x", "ns_a": "y"}}, "partition_unmapped", "partitions"),
        ({"partitions": NAMED | {"ns_b": "z"}}, "partition_unknown", "partitions.ns_b"),
        ({"partitions": NAMED | {"b c": "b c"}}, "name_illegal", "partitions.b c"),
        ({"partitions": NAMED | {"": ""}}, "name_empty", 'partitions.""'),
        ({"partitions": NAMED, "partition_key": "lang"}, "partition_both", "partitions"),
    ],
)
def test_a_partition_of_the_source_needs_a_legal_name_of_its_own(plan, code, path):
    fault = the_fault(plan, LANG, partitions=SPACES)

    assert (fault.code, fault.path) == (code, path)
    assert fault.hint


def test_two_partitions_of_the_source_cannot_share_one_of_the_target():
    found = faults_of({"partitions": NAMED | {"b c": "a"}}, partitions=SPACES)

    assert [(fault.code, fault.path) for fault in found] == [
        ("name_duplicate", "partitions.b c"),
        ("name_duplicate", "partitions.ns_a"),
    ]


@pytest.mark.parametrize(("most", "is_refused"), [(3, False), (2, True)])
def test_more_partitions_than_the_target_allows_are_refused(most, is_refused):
    few = replace(EVERYTHING, max_partitions=most)

    found = faults_of({}, partitions=SPACES, keeps_partitions=True, capabilities=few)

    assert [fault.code for fault in found] == ["too_many_partitions"] * is_refused


def test_the_names_are_announced_before_anything_is_written():
    rows = pa.record_batch(
        {
            "id": pa.array(range(3), pa.int64()),
            "v": pa.array([[1, 2]] * 3, pa.list_(pa.float32(), 2)),
            "lang": pa.array(SPACES),
        }
    )
    books = partitioned_by("lang", memory_collection(rows, SPECS, key="id"))

    assert checked_collection(books, {}).collections[0].notes == (
        "3 partitions of the source become partitions of the target: the one without a name → _default, "
        "“b c” → b_c_502a, “ns_a” → ns_a.",
    )


def test_names_are_accepted_if_the_source_cannot_list_its_partitions():
    assert faults_of({"partitions": NAMED}, partitions=None) == ()


SPECS = {
    "id": TypeSpec(MilvusType.INT64),
    "v": TypeSpec(MilvusType.FLOAT_VECTOR, dim=2),
    "lang": TypeSpec(MilvusType.VARCHAR, max_length=9000),
}


def checked(langs, capabilities=EVERYTHING, **plan):
    rows = pa.record_batch(
        {
            "id": pa.array(range(len(langs)), pa.int64()),
            "v": pa.array([[1, 2]] * len(langs), pa.list_(pa.float32(), 2)),
            "lang": pa.array(langs, pa.string()),
        }
    )
    books = memory_collection(rows, SPECS, key="id")
    return checked_collection(books, {"partition_by": "lang"} | plan, capabilities)


def checked_collection(books, plan, capabilities=EVERYTHING):
    whole = {"version": 1, "source": {"kind": "memory"}, "target": {"kind": "memory"}}
    with (
        memory_store(MemoryStore({"a": books})) as source,
        memory_database(MemoryDatabase(capabilities=capabilities)) as target,
    ):
        made = Plan.model_validate(whole | {"collections": [{"source": "a"} | plan]})
        return check_plan(made, MemorySource(source), MemoryTarget(target), ReadContext())


def test_the_values_are_named_before_anything_is_written():
    found = checked(["en", "de", None, "en"])

    assert found.faults == ()
    assert found.collections[0].plan.partitions == {"de": "de", "en": "en"}
    assert found.collections[0].notes == (
        "“lang” is NULL in 1 row, which will be in the partition “_default”.",
    )


def test_names_in_the_plan_are_kept_and_the_others_are_generated():
    (one,) = checked(["en", "de"], partitions={"en": "English"}).collections

    assert one.plan.partitions == {"en": "English", "de": "de"}


@pytest.mark.parametrize(("values", "is_refused"), [(3, False), (4, True)])
def test_more_values_than_partitions_are_refused(values, is_refused):
    """The default partition counts as well."""
    found = checked([f"l{n}" for n in range(values)], replace(EVERYTHING, max_partitions=4))

    assert [f.code for f in found.faults] == ["too_many_partitions"] * is_refused
    if is_refused:
        assert "more than 3 values; Milvus 9.9.9 allows 4 partitions" in found.faults[0].message


def test_values_that_are_too_long_are_refused():
    (fault,) = checked(["x" * 1025]).faults

    assert fault.code == "partition_value_too_long"
    assert checked(["x" * 1024]).faults == ()


# ---------------------------------------------------------------- check of the counts

NAMES = {"en": "english", "de": "german"}


@pytest.mark.parametrize(
    ("source", "target", "is_whole", "passed"),
    [
        ({"en": 5, "de": 3, None: 1}, {"english": 5, "german": 3, "_default": 1}, True, True),
        ({"en": 5, "de": 3}, {"english": 3, "german": 5, "_default": 0}, True, False),
        ({"en": 5, "de": 3}, {"english": 5, "german": 0, "_default": 3}, True, False),
        ({"en": 5, "de": 3}, {"english": 4, "german": 3, "_default": 0}, False, True),
        ({"en": 5, "de": 3}, {"english": 4, "german": 4, "_default": 0}, False, False),
        ({"en": 5, "fr": 3}, {"english": 5, "german": 0, "_default": 0}, False, True),
    ],
)
def test_the_check_passes_if_each_partition_has_the_rows_of_its_value(source, target, is_whole, passed):
    assert check_partitions(NAMES, source, target, is_whole=is_whole).passed is passed


def test_the_message_names_the_partition_that_differs():
    source, target = {"en": 5, "de": 3}, {"english": 3, "german": 5, "_default": 0}

    check = check_partitions(NAMES, source, target, is_whole=True)

    assert check.message == (
        "The partition “english” has 3 rows; the source has 5 with its value. In total, 2 partitions differ."
    )
