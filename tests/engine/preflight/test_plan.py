"""Check of a whole plan: its collections, their names, and the checks that need the rows."""

from dataclasses import replace

import pyarrow as pa
import pytest

from migrations_app.engine.errors import Canceled, ConnectionFailed, PlanRefused
from migrations_app.engine.faults import Fix
from migrations_app.engine.model.plan import Plan
from migrations_app.engine.model.source_schema import SourceKey
from migrations_app.engine.model.target_schema import TargetField, TargetSchema
from migrations_app.engine.model.types import TypeSpec, arrow_type
from migrations_app.engine.preflight import check_plan
from migrations_app.engine.preflight.scans import read_rows
from migrations_app.engine.read_context import ReadContext
from migrations_app.engine.sources.base import Source
from migrations_app.engine.stop_token import StopToken
from tests.engine.preflight.preflights import T, faults_of, field, place
from tests.kit import MemoryCollection, MemorySource, MemoryStore, memory_collection, memory_store
from tests.kit.memory_target import EVERYTHING, MemoryDatabase, MemoryRows, MemoryTarget, memory_database

SPECS = {"id": TypeSpec(T.INT64), "v": TypeSpec(T.FLOAT_VECTOR), "t": TypeSpec(T.VARCHAR)}
SPECS_2 = {"id": SPECS["id"], "v": SPECS["v"], "my text": SPECS["t"]}


def rows(vectors, ids=None):
    return pa.RecordBatch.from_pydict(
        {
            "id": pa.array(ids or range(len(vectors)), pa.int64()),
            "v": pa.array(vectors, pa.list_(pa.float32())),
            "t": pa.array(["x"] * len(vectors)),
        }
    )


def checked(collections, plan=None, *, database=None, database_name="default", ctx=None, **options):
    data = {
        "version": 1,
        "source": {"kind": "memory"},
        "target": {"kind": "memory", "database": database_name},
        "collections": [{"source": name} for name in collections],
    }
    with (
        memory_store(MemoryStore(dict(collections))) as source_settings,
        memory_database(database or MemoryDatabase()) as target_settings,
        MemorySource(source_settings) as source,
        MemoryTarget(target_settings, database_name) as target,
    ):
        return check_plan(
            Plan.model_validate(data | (plan or {})), source, target, ctx or ReadContext(), **options
        )


def books(vectors=([1.0, 2.0], [3.0, 4.0]), **facts) -> MemoryCollection:
    collection = memory_collection(rows(list(vectors)), SPECS, key="id")
    return replace(collection, **facts)


def test_a_plan_without_faults_gives_completed_collections():
    found = checked({"books": books()})
    assert found.faults == ()
    found.raise_if_faults()
    (one,) = found.collections
    assert (one.plan.target, one.plan.key, one.rows) == ("books", "id", 2)
    assert [f.dim for f in one.plan.fields] == [None, 2, None]


def test_a_fault_of_a_taken_name_suggests_a_free_one():
    key = TargetField("id", TypeSpec(T.INT64), is_key=True)
    taken = MemoryRows(TargetSchema("books", (key,)))
    database = MemoryDatabase(collections={"books": taken, "books_2": taken})
    (fault,) = checked({"books": books()}, database=database).faults
    assert place(fault) == ("collection_exists", "collections[0].target", "", "collection_target")
    assert fault.fixes[0] == Fix("Use books_3", "target", "books_3")
    assert fault.typed == ("target: books_3", "if_exists: append", "if_exists: replace")
    assert fault.advice.endswith(
        "In the plan file, write “target: books_3” or “if_exists: append” or “if_exists: replace”."
    )
    assert fault.message == "The database “default” already has a collection “books”."


def test_two_collections_must_not_have_the_same_target_name():
    plan = {"collections": [{"source": "a", "target": "x"}, {"source": "b", "target": "x"}]}
    (fault,) = checked({"a": books(), "b": books()}, plan).faults
    assert place(fault)[:2] == ("target_duplicate", "collections[1].target")


def test_a_collection_without_rows_is_refused():
    (fault,) = [f for f in checked({"a": books([]), "b": books()}).faults if f.code == "no_rows"]
    assert place(fault) == ("no_rows", "collections[0].source", "", "source")


def test_mixed_dimensions_are_refused_with_their_counts():
    (fault,) = checked({"a": books([[1, 2], [1, 2, 3], [4, 5], None])}).faults
    assert place(fault) == ("mixed_dimensions", "collections[0].fields[1].dim", "v", "dim")
    assert "2 (2 rows), 3 (1 row)" in fault.message


def test_a_column_that_is_not_a_vector_is_not_measured_as_one():
    plan = {
        "collections": [{"source": "a", "fields": [{"source": "v"}, {"source": "t", "type": "FLOAT_VECTOR"}]}]
    }
    (fault,) = checked({"a": books()}, plan).faults
    assert place(fault)[:2] == ("type_unsuitable", "collections[0].fields[1].type")


def test_a_dimension_that_differs_from_all_vectors_is_refused():
    plan = {"collections": [{"source": "a", "fields": [{"source": "v", "dim": 3}]}]}
    (fault,) = checked({"a": books()}, plan).faults
    assert place(fault)[:2] == ("dim_differs", "collections[0].fields[0].dim")


def test_a_dimension_is_measured_if_the_sample_has_only_nulls():
    found = checked({"a": books([None] * 150 + [[1, 2]])})
    assert found.faults == ()
    assert found.collections[0].plan.fields[1].dim == 2


def test_rows_beyond_a_low_estimate_are_not_called_checked(monkeypatch):
    monkeypatch.setattr(MemorySource, "can_measure", MemorySource.can_measure - {"row_tests"})
    (one,) = checked({"a": books([[1, 2]] * 3)}).collections
    assert one.looked.startswith("All 3 rows were checked")
    describe = MemorySource.describe
    monkeypatch.setattr(
        MemorySource, "describe", lambda *asked, **kw: replace(describe(*asked, **kw), rows_estimate=1)
    )
    monkeypatch.setattr(read_rows, "FEW_ROWS", 2)
    (one,) = checked({"a": books([[1, 2]] * 3)}).collections
    assert one.looked.startswith("Only the first 2 rows were checked for NULL, lengths and sizes.")
    assert (one.losses.rows, one.losses.is_complete) == (2, False)


def test_null_vectors_are_counted_before_anything_is_written():
    (one,) = checked({"a": books([[1, 2], None, None])}).collections
    lacking, total = one.notes
    assert lacking == "2 of 3 rows lack “v” and will be skipped."
    assert total.startswith("Only 1 of 3 rows would be moved, so the job would end Failed, unless")
    plan = {"collections": [{"source": "a", "absent_vectors": "reject"}]}
    (one,) = checked({"a": books([[1, 2], None])}, plan).collections
    assert one.notes == ("1 of 2 rows lacks “v” and will be rejected.",)


TWO = SPECS | {"s": TypeSpec(T.SPARSE_FLOAT_VECTOR)}
ENTRY = [{"index": 1, "value": 0.5}]


def two_vectors(dense, sparse):
    """A collection whose rows have a dense vector, a sparse vector, both or none: 1 or 0 for each row."""
    made = rows([[1, 2] if has else None for has in dense], ids=list(range(len(dense))))
    texts = pa.array([ENTRY if has else None for has in sparse], arrow_type(TWO["s"]))
    return memory_collection(made.append_column("s", texts), TWO, key="id")


@pytest.mark.parametrize(
    ("dense", "sparse", "rules", "notes"),
    [
        ([1, 0, 0, 1], [1, 0, 1, 0], {}, ["3 of 4 rows lack “v” or “s” and will be skipped."]),
        (
            [1, 0, 0, 1],
            [1, 0, 1, 0],
            {"s": "reject"},
            [
                "2 of 4 rows lack “v” and will be skipped.",
                "Of the other rows, 1 lacks “s” and will be rejected.",
            ],
        ),
        ([1, 0, 0, 1], [1, 0, 1, 0], {"s": "empty"}, ["2 of 4 rows lack “v” and will be skipped."]),
        ([1, 0], [0, 1], {"s": "empty", "v": "null"}, []),
        ([1, 0, 1], [1, 1, 1], {}, ["1 of 3 rows lacks “v” and will be skipped."]),
    ],
)
def test_rows_that_lack_any_required_vector_are_counted_once(dense, sparse, rules, notes):
    fields = [{"source": "v", "absent": rules.get("v")}, {"source": "s", "absent": rules.get("s")}]
    plan = {"collections": [{"source": "a", "fields": fields}], "options": {"max_skipped": 1.0}}

    found = checked({"a": two_vectors(dense, sparse)}, plan)

    assert found.faults == ()
    assert list(found.collections[0].notes) == notes


def test_a_plan_that_would_move_no_row_is_refused_and_the_vector_to_leave_out_is_named():
    (fault,) = checked({"a": two_vectors([1, 0, 0], [0, 1, 1])}, {"collections": [{"source": "a"}]}).faults

    assert place(fault)[:2] == ("no_row_has_vectors", "collections[0].fields[1].absent")
    assert fault.message == "All 3 rows lack “v” or “s”, so none of them would be moved."
    assert fault.hint == "Leave “v” out: 2 of the rows lack it."
    assert [fix.label for fix in fault.fixes] == ["Leave it out", "Store NULL"]


def test_the_only_vector_is_not_named_as_one_to_leave_out():
    fields = [{"source": "id"}, {"source": "v", "dim": 2}]
    (fault,) = checked(
        {"a": books([None, None])}, {"collections": [{"source": "a", "fields": fields}]}
    ).faults

    assert fault.code == "no_row_has_vectors"
    assert fault.hint == "Choose another vector field, or other rows."
    assert [fix.label for fix in fault.fixes] == ["Store NULL"]


def checked_with_key(key, texts=("x", "y", "x"), ids=(1, 2, 3), **facts):
    """Return the result of the checks of three books whose key is ``key``."""
    made = rows([[1, 2], [3, 4], [5, 6]], ids=list(ids))
    made = made.set_column(2, "t", pa.array(texts, pa.string()))
    fields = tuple(replace(f, can_be_key=f.name != "v", nullable=None in texts) for f in books().fields)
    return checked(
        {"a": books(rows=made, fields=fields)}, {"collections": [{"source": "a", "key": key}]}, **facts
    )


@pytest.mark.parametrize(
    ("key", "sentence"),
    [
        ("t", "The key “t” is NULL in 2 rows."),
        (["t", "id"], "The key field “t” is NULL in 2 rows."),
    ],
)
def test_a_key_that_contains_null_is_refused(key, sentence):
    (fault,) = checked_with_key(key, [None, "x", None]).faults
    assert place(fault)[:2] == ("key_null", "collections[0].key")
    assert fault.message == sentence


@pytest.mark.parametrize(
    ("key", "texts", "duplicates", "words"),
    [
        (
            "t",
            ["x", "x", "x"],
            2,
            "“t” unique: 2 rows will be replaced by others with the same key, usually",
        ),
        ("t", ["x", "y", "z"], 0, "“t” unique, but at the moment no two rows have the same key."),
        (
            ["t", "v2"],
            ["x", "x", "y"],
            1,
            "“t” and “v2” unique: 1 row will be replaced by others with the same",
        ),
    ],
)
def test_duplicate_keys_are_counted_before_anything_is_written(key, texts, duplicates, words):
    made = rows([[1, 2], [3, 4], [5, 6]], ids=[1, 2, 3])
    made = made.set_column(2, "t", pa.array(texts, pa.string()))
    made = made.append_column("v2", pa.array(["a", "a", "b"], pa.string()))
    specs = SPECS | {"v2": TypeSpec(T.VARCHAR)}
    plan = {"collections": [{"source": "a", "key": key}]}
    (one,) = checked({"a": memory_collection(made, specs, key="id")}, plan).collections
    assert (one.key_is_unique, one.duplicates) == (False, duplicates)
    assert any(note.startswith(f"The source does not declare {words}") for note in one.notes)


def test_rows_that_will_be_skipped_do_not_count_as_duplicates():
    made = rows([[1, 2], None, None], ids=[1, 2, 3]).set_column(2, "t", pa.array(["x"] * 3))
    collections = {"a": memory_collection(made, SPECS, key="id")}
    plan = {"source": "a", "key": "t"}
    (skipped,) = checked(collections, {"collections": [plan]}).collections
    (rejected,) = checked(collections, {"collections": [plan | {"absent_vectors": "reject"}]}).collections
    assert (skipped.duplicates, rejected.duplicates) == (0, 2)


@pytest.mark.parametrize("key", ["id", ["id", "t"], ["t", "id"], "auto"])
def test_duplicates_are_not_counted_if_the_key_is_declared_unique(key):
    (one,) = checked_with_key(key).collections
    assert (one.key_is_unique, one.duplicates) == (True, None)
    assert not any("unique" in note for note in one.notes)


def test_a_key_that_is_not_declared_unique_is_kept_as_a_field_and_a_note_says_how_to_make_it_the_key():
    made = books()
    made.key = SourceKey(("id",), unique=False)
    (proposed,) = checked({"a": made}).collections
    assert (proposed.plan.is_auto_id, proposed.plan.keep_source_key) == (True, True)
    assert proposed.notes == (
        "“id” is not declared unique, so Auto ID is proposed: choose “id” as the key to keep it.",
    )
    (written,) = checked({"a": made}, {"collections": [{"source": "a", "key": "auto"}]}).collections
    assert not any("unique" in note for note in written.notes)


def test_keys_that_filters_do_not_find_are_noted():
    ends = (-(2**63), 2**63 - 1, 0)
    old = MemoryDatabase(capabilities=replace(EVERYTHING, version="2.3.5", filters_find_int64_limits=False))
    (one,) = checked_with_key("id", ids=ends, database=old).collections
    assert one.notes == (
        "“id” contains 9223372036854775807: Milvus 2.3.5 stores and counts a row with this key, but no "
        "query returns it.",
        "“id” contains -9223372036854775808, which cannot be written in a filter of Milvus 2.3.5; "
        "“id < -9223372036854775807” finds the row.",
    )
    assert checked_with_key("id", ids=ends).collections[0].notes == ()
    assert checked_with_key("id", database=old).collections[0].notes == ()


def test_the_hint_of_a_fault_describes_its_fix_where_there_are_no_buttons():
    written = {"source": "t", "type": "VARCHAR", "max_length": 0}
    plan = {"collections": [{"source": "a", "fields": [{"source": "id"}, {"source": "v"}, written]}]}
    with pytest.raises(PlanRefused) as caught:
        checked({"a": books()}, plan).raise_if_faults()
    (fault,) = caught.value.faults
    hint = "Use 65,535. In the plan file, write “{source: t, max_length: 65535}”."
    assert fault.as_dict()["hint"] == caught.value.hint == hint


def test_columns_that_a_plan_without_fields_leaves_out_are_noted_with_the_reason():
    made = memory_collection(rows([[1.0, 2.0]]), {name: SPECS[name] for name in ("id", "v")}, key="id")
    (kept,) = checked({"a": made}).collections
    assert kept.notes == ("“t” is left out: Milvus has no type for it.",)
    (auto,) = checked({"a": made}, {"collections": [{"source": "a", "key": "auto"}]}).collections
    id_note = (
        "“id” is left out: Auto ID creates new keys. To keep it as an ordinary field, see Advanced settings; "
        "in a plan file, write “keep_source_key: true”."
    )
    assert auto.notes == (id_note, *kept.notes)
    written = {"source": "a", "fields": [{"source": "id"}, {"source": "v"}]}
    (short,) = checked({"a": made}, {"collections": [written]}).collections
    assert short.notes == ()


def test_a_missing_collection_does_not_stop_the_other_checks():
    plan = {"collections": [{"source": "gone"}, {"source": "a", "target": "a-b"}]}
    found = checked({"a": books()}, plan)
    assert [(f.code, f.path) for f in found.faults] == [
        ("source_changed", "collections[0].source"),
        ("name_illegal", "collections[1].target"),
    ]
    assert len(found.collections) == 1


def test_a_missing_database_does_not_stop_the_other_checks():
    found = checked({"a": books()}, {"collections": [{"source": "a", "shards": 99}]}, database_name="shop")
    assert [(f.code, f.path) for f in found.faults] == [
        ("database_missing", "target.database"),
        ("shards_out_of_range", "collections[0].shards"),
    ]
    assert found.faults[0].hint == (
        "Available databases: default. To create it, write create_database: true."
    )


@pytest.mark.parametrize(
    ("name", "capabilities", "codes"),
    [
        ("shop", EVERYTHING, []),
        ("my shop", EVERYTHING, ["name_illegal"]),
        ("shop", replace(EVERYTHING, databases=False), ["database_unsupported"]),
    ],
)
def test_a_missing_database_is_no_fault_if_it_is_to_be_created_and_can_be(name, capabilities, codes):
    target = {"kind": "memory", "database": name, "create_database": True}
    database = MemoryDatabase(capabilities=capabilities)
    found = checked({"a": books()}, {"target": target}, database=database, database_name=name)
    assert [fault.code for fault in found.faults] == codes


def test_options_that_are_not_available_yet_are_refused_by_name():
    found = checked({"a": books()}, {"options": {"verify": "sample"}, "collections": [{"source": "a"}]})
    assert [(f.code, f.path) for f in found.faults] == [("not_available", "options.verify")]


def test_a_selection_that_the_source_does_not_know_is_refused():
    found = checked({"a": books()}, {"collections": [{"source": "a", "select": {"where": "x"}}]})
    assert [(f.code, f.path) for f in found.faults] == [("key_unknown", "collections[0].select.where")]


def test_load_without_an_index_is_refused_if_the_target_needs_one():
    options = {"options": {"load": True}}
    assert [f.path for f in checked({"a": books()}, options).faults] == ["options.load"]
    lite = MemoryDatabase(capabilities=replace(EVERYTHING, count_needs_load=False))
    assert checked({"a": books()}, options, database=lite).faults == ()
    assert checked({"a": books()}, {"options": {"load": True, "create_index": True}}).faults == ()


def test_too_many_collections_are_refused():
    found = checked({"a": books(), "b": books()}, max_collections=1)
    assert [(f.code, f.path) for f in found.faults] == [("too_many_collections", "collections")]


def test_a_plan_with_only_warnings_is_accepted_and_they_are_noted():
    long = tuple(replace(f, longest_bytes=900) for f in books().fields)
    text = {"source": "t", "max_length": 100, "too_long": "truncate"}
    written = {"source": "a", "fields": [{"source": "v"}, text]}
    found = checked({"a": books(fields=long)}, {"collections": [written]})
    assert [f.severity for f in found.faults] == ["warning"]
    found.raise_if_faults()
    assert "900 bytes" in found.collections[0].notes[0]


def test_the_error_of_a_refused_plan_contains_every_fault():
    with pytest.raises(PlanRefused) as refused:
        checked(
            {"a": books()}, {"collections": [{"source": "a", "shards": 99, "target": "9"}]}
        ).raise_if_faults()
    assert len(refused.value.faults) == 2


def test_an_unreachable_source_is_an_error_and_not_a_fault_of_the_plan():
    unreachable: Source = MemorySource(MemorySource.Settings(store="gone"))
    plan = Plan.model_validate({"version": 1, "source": {}, "target": {}, "collections": [{"source": "a"}]})
    with (
        memory_database(MemoryDatabase()) as settings,
        MemoryTarget(settings) as target,
        pytest.raises(ConnectionFailed),
    ):
        check_plan(plan, unreachable, target, ReadContext())


def test_a_blank_name_is_a_fault_and_not_the_default():
    found = faults_of({"target": "", "fields": [{"source": "n", "target": ""}]}, field("n", T.INT8))
    assert [(f.code, f.path) for f in found] == [("name_empty", "target"), ("name_empty", "fields[2].target")]
    assert [f.fixes[0].value for f in found] == ["books", "n"]


def test_a_stop_ends_the_checks():
    stop = StopToken()
    stop.stop(Canceled("Canceled."))
    with pytest.raises(Canceled):
        checked({"a": books()}, ctx=ReadContext(stop))


def test_create_index_with_an_empty_list_of_indexes_is_refused():
    plan = {"collections": [{"source": "a", "indexes": []}], "options": {"create_index": True}}
    (fault,) = checked({"a": books()}, plan).faults
    assert place(fault)[:2] == ("indexes_empty", "collections[0].indexes")
    assert not checked({"a": books()}, plan | {"options": {}}).faults


def test_a_fault_of_a_field_has_its_path_in_the_file_and_the_line_that_fixes_it():
    long = {"source": "t", "max_length": 70_000}
    ways = {
        "fields[0].max_length": {"override": True, "fields": [long]},
        "fields[1].max_length": {"fields": [{"source": "v"}, long]},
    }
    for path, written in ways.items():
        (fault,) = checked({"books": books()}, {"collections": [{"source": "books", **written}]}).faults
        assert fault.path == f"collections[0].{path}"
        assert fault.typed == ("{source: t, max_length: 65535}",)


def test_a_fault_of_a_field_that_the_file_does_not_list_says_how_to_override_it():
    books_ = memory_collection(rows([[1.0, 2.0]]).rename_columns(["id", "v", "my text"]), SPECS_2, key="id")
    (fault,) = checked({"books": books_}).faults
    assert (fault.code, fault.path) == ("name_illegal", "collections[0].fields[2].target")
    assert fault.advice == (
        "Use another name. In the plan file, write "
        "“override: true” and “fields: [{source: my text, target: my_text}]”."
    )
