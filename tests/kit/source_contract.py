"""Source contract: the tests that every source must pass. The tests of a connector inherit all of them::

    class TestPostgres(SourceContract):
        @pytest.fixture
        def case(self, database) -> SourceCase:
            return SourceCase(PostgresSource, {"host": …}, full=CollectionRef("public.books"), …)

Nothing here depends on a vendor: all differences are in the ``SourceCase``.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace

import pyarrow as pa
import pytest
from pydantic import ValidationError

from migrations_app.engine.errors import FerryError, SourceChanged, SourceError
from migrations_app.engine.model.batch import ReadColumn, ReadPlan
from migrations_app.engine.model.source_schema import SourceKey
from migrations_app.engine.model.types import MilvusType, arrow_type
from migrations_app.engine.read_context import ReadContext
from migrations_app.engine.sources.base import MeasureRequest, Source
from tests.kit.slice_contract import SliceContract
from tests.kit.source_case import (
    SourceCase,
    assert_silent,
    keys_of,
    plan_of,
    read,
    read_all,
    read_fields,
    slices_of,
    types_of,
)


class SourceContract(SliceContract):
    """Subclass this under a name that begins with ``Test`` and add a ``case`` fixture."""

    # ------------------------------------------------------------ connect

    def test_check_returns_product_and_version(self, source: Source) -> None:
        info = source.check(ReadContext())
        assert info.product
        assert info.version

    def test_the_address_field_is_one_of_the_settings(self, source: Source) -> None:
        assert source.address_field in source.Settings.model_fields

    def test_bad_settings_are_refused_and_the_error_names_their_field(self, case: SourceCase) -> None:
        assert case.bad
        for bad in case.bad:
            with case.open(bad.change) as source, pytest.raises(bad.error) as caught:
                source.check(ReadContext())
            assert caught.value.field == bad.field
            assert caught.value.message
            assert caught.value.hint
            assert_silent(case, bad.change, str(caught.value), repr(caught.value), caught.value.hint)

    def test_every_method_raises_a_ferry_error_for_bad_settings(self, case: SourceCase) -> None:
        with case.open(case.bad[0].change) as source:
            for call in (
                lambda: list(source.collections(ReadContext())),
                lambda: source.describe(case.full, 100, ReadContext()),
            ):
                with pytest.raises(FerryError):
                    call()

    def test_secrets_are_never_shown(self, case: SourceCase, source: Source) -> None:
        settings = source.settings
        assert_silent(case, {}, repr(settings), str(settings), repr(source), settings.model_dump_json())
        assert_silent(case, {}, str(source.check(ReadContext())), *source.hosts(), *source.before_you_start)

    def test_an_unknown_setting_is_refused_without_showing_the_others(self, case: SourceCase) -> None:
        with pytest.raises(ValidationError) as caught:
            case.open({"no_such_setting": "1"})
        assert_silent(case, {}, str(caught.value))

    def test_hosts_are_known_without_connecting(self, case: SourceCase) -> None:
        for bad in case.bad:
            with case.open(bad.change) as source:
                assert all(isinstance(host, str) and host for host in source.hosts())

    def test_closing_twice_is_harmless(self, case: SourceCase) -> None:
        source = case.open()
        source.check(ReadContext())
        source.close()
        source.close()

    # ------------------------------------------------------------ contents

    def test_collections_are_listed_in_a_stable_order(self, case: SourceCase, source: Source) -> None:
        listed = {info.name: info for info in source.collections(ReadContext())}
        assert list(listed) == [info.name for info in source.collections(ReadContext())]
        full = listed[case.full.name]
        assert full.vectors
        assert not full.not_selectable
        assert case.empty.name in listed
        assert case.missing.name not in listed
        assert {n for n, info in listed.items() if info.not_selectable} >= case.not_selectable

    def test_an_empty_collection_is_reported_as_empty(self, case: SourceCase, source: Source) -> None:
        assert not source.has_rows(case.empty, ReadContext())
        assert source.has_rows(case.full, ReadContext())
        assert source.count(case.empty, ReadContext()).rows in (0, None)
        assert read_all(case, source, case.empty) == []

    def test_an_exact_count_is_the_number_of_rows(self, case: SourceCase, source: Source) -> None:
        count = source.count(case.full, ReadContext())
        assert not count.is_exact or count.rows == case.rows
        assert not count.by_partition or sum(count.by_partition.values()) == count.rows

    def test_every_field_has_a_type_or_a_reason(self, case: SourceCase, source: Source) -> None:
        schema = source.describe(case.full, 100, ReadContext())
        names = [f.name for f in schema.fields]
        assert len(set(names)) == len(names)
        assert any(f.is_vector for f in schema.fields)
        for found in schema.fields:
            assert found.native_type
            assert found.choices or found.left_out, found.name
            assert not (found.left_out and any(choice.is_proposed for choice in found.choices)), found.name
        assert schema.key is None or set(schema.key.columns) <= set(names)

    def test_at_most_one_field_is_the_rest_and_it_holds_objects(
        self, case: SourceCase, source: Source
    ) -> None:
        schema = source.describe(case.full, 100, ReadContext())
        rest = [f for f in schema.fields if f.is_rest]
        assert len(rest) <= 1
        for found in rest:
            assert found.can_open
            assert schema.sample is not None
            documents = schema.sample.column(found.name).drop_null().to_pylist()
            assert all(isinstance(json.loads(text), dict) for text in documents)

    def test_the_sample_has_one_column_for_each_field(self, case: SourceCase, source: Source) -> None:
        schema = source.describe(case.full, 5, ReadContext())
        assert schema.sample is not None
        assert schema.sample.num_rows == 5
        specs = {f.name: f.choices[0].spec for f in read_fields(schema)}
        assert types_of(schema.sample) == {name: arrow_type(spec) for name, spec in specs.items()}

    def test_a_schema_to_copy_has_the_fields_that_are_read(self, case: SourceCase, source: Source) -> None:
        schema = source.describe(case.full, 1, ReadContext())
        if schema.exact is None:
            return
        specs = {field.name: field.choices[0].spec for field in schema.fields if field.choices}
        exact = {field.name: field.spec for field in schema.exact.sent_fields}
        assert exact == {name: spec for name, spec in specs.items() if name in exact}
        assert schema.key == SourceKey((schema.exact.key.name,))

    def test_a_missing_collection_is_reported(self, case: SourceCase, source: Source) -> None:
        plan = plan_of(case, source)
        with pytest.raises(SourceChanged):
            source.describe(case.missing, 100, ReadContext())
        with pytest.raises(FerryError):
            list(source.slices(case.missing, 1, ReadContext()))
        with pytest.raises(FerryError):
            list(source.read(case.missing, slices_of(case, source)[0], None, plan, ReadContext()))

    def test_a_missing_column_is_reported(self, case: SourceCase, source: Source) -> None:
        plan = plan_of(case, source)
        missing = ReadColumn("no_such_field", plan.columns[0].spec)
        plan = ReadPlan((*plan.columns, missing), plan.key, plan.batch_bytes)
        with pytest.raises(SourceChanged):
            list(source.read(case.full, slices_of(case, source)[0], None, plan, ReadContext()))

    def test_measures_agree_with_the_rows(self, case: SourceCase, source: Source) -> None:
        fields = read_fields(source.describe(case.full, 100, ReadContext()))
        vectors = tuple(f.name for f in fields if f.is_vector)
        names = tuple(f.name for f in fields)
        wanted = MeasureRequest(dims_of=vectors, nulls_of=names, absent_of=(vectors, names))
        found = source.measure(case.full, wanted, ReadContext())
        assert set(found.nulls) == (set(wanted.nulls_of) if "nulls" in source.can_measure else set())
        assert set(found.absent) == (set(wanted.absent_of) if "absent" in source.can_measure else set())
        rows = pa.Table.from_batches([batch.rows for batch in read_all(case, source, case.full)])
        for name, nulls in found.nulls.items():
            assert rows.column(name).null_count == nulls, name
        for group, absent in found.absent.items():
            assert found.rows == case.rows
            assert absent == case.rows - rows.select(group).drop_null().num_rows, group
        for name, dims in found.dims.items():
            assert sum(dims.values()) == case.rows - rows.column(name).null_count, name

    def test_the_values_of_a_field_are_counted(self, case: SourceCase, source: Source) -> None:
        """Covers every field that is read as text."""
        fields = read_fields(source.describe(case.full, 100, ReadContext()))
        rows = pa.Table.from_batches([batch.rows for batch in read_all(case, source, case.full)])
        for name in [f.name for f in fields if f.choices[0].spec.type is MilvusType.VARCHAR]:
            found = source.measure(
                case.full, MeasureRequest(values_of=name, at_most=case.rows), ReadContext()
            )
            if "values" not in source.can_measure:
                assert found.values is None
                continue
            assert found.values == Counter(rows.column(name).to_pylist()), name
            few = source.measure(case.full, MeasureRequest(values_of=name, at_most=0), ReadContext()).values
            assert few is not None
            assert len(few) <= 2

    # ------------------------------------------------------------ read

    def test_batches_have_the_types_of_the_plan(self, case: SourceCase, source: Source) -> None:
        plan = plan_of(case, source)
        wanted = {column.path: arrow_type(column.spec) for column in plan.columns}
        for batch in read_all(case, source, case.full):
            assert types_of(batch.rows) == wanted

    def test_batches_do_not_exceed_their_size(self, case: SourceCase, source: Source) -> None:
        for batch in read_all(case, source, case.full):
            assert batch.rows.num_rows <= 1 or batch.size_bytes <= 2 * case.batch_bytes

    def test_every_row_has_a_locator(self, case: SourceCase, source: Source) -> None:
        for batch in read_all(case, source, case.full):
            assert batch.locators.type == pa.string()
            assert batch.locators.null_count == 0
            assert len(batch.locators) == batch.rows.num_rows

    def test_values_arrive_unchanged(self, case: SourceCase, source: Source) -> None:
        assert case.expected
        found = {
            locator: row
            for batch in read_all(case, source, case.full)
            for locator, row in zip(batch.locators.to_pylist(), batch.rows.to_pylist(), strict=True)
        }
        for locator, values in case.expected.items():
            assert {name: found[locator][name] for name in values} == values

    def test_a_read_returns_the_requested_columns_in_order(self, case: SourceCase, source: Source) -> None:
        plan = plan_of(case, source)
        some = tuple(reversed(plan.columns[:2]))
        for part in slices_of(case, source):
            for batch in read(case, source, part, plan=ReadPlan(some, plan.key)):
                assert batch.rows.schema.names == [column.path for column in some]

    def test_every_type_choice_can_be_read(self, case: SourceCase, source: Source) -> None:
        schema = source.describe(case.full, 100, ReadContext())
        for found in read_fields(schema):
            for choice in found.choices:
                plan = ReadPlan(
                    (ReadColumn(found.name, choice.spec),), schema.key.columns if schema.key else ()
                )
                seen = 0
                for part in slices_of(case, source):
                    for batch in read(case, source, part, plan=plan):
                        assert types_of(batch.rows) == {found.name: arrow_type(choice.spec)}
                        seen += batch.rows.num_rows + len(batch.rejected)
                assert seen == case.rows, (found.name, choice)

    def test_fetch_returns_the_rows_with_the_given_keys(self, case: SourceCase, source: Source) -> None:
        plan = keyed_plan_of(case, source)
        batch = read_all(case, source, case.full)[1]
        keys = keys_of(batch.rows, plan)
        if not source.can_fetch:
            with pytest.raises(SourceError):
                source.fetch(case.full, keys, plan, ReadContext())
            return
        found = source.fetch(case.full, keys, plan, ReadContext())
        assert types_of(found) == types_of(batch.rows)
        assert {repr(row) for row in batch.rows.to_pylist()} == {repr(row) for row in found.to_pylist()}
        nothing = source.fetch(case.full, keys.slice(0, 0), plan, ReadContext())
        assert nothing.num_rows == 0
        assert types_of(nothing) == {column.path: arrow_type(column.spec) for column in plan.columns}


def keyed_plan_of(case: SourceCase, source: Source) -> ReadPlan:
    """Return ``plan_of``, with the first field that can be a key if the collection declares none."""
    plan = plan_of(case, source)
    fields = source.describe(case.full, 1, ReadContext()).fields
    return plan if plan.key else replace(plan, key=(next(f.name for f in fields if f.can_be_key),))
