"""Plan file: all faults are reported together, each with its path, and no secret is stored."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
import yaml

from migrations_app.engine.errors import PlanRefused
from migrations_app.plan_file import PlanFile, dump_yaml, read_plan

GOOD = """
version: 1
source:
  kind: postgresql
  settings: {host: db, database: shop, user: reader, password: "${SHOP_PASSWORD}"}
target:
  kind: milvus
  settings: {uri: "http://127.0.0.1:19530", token: typed-secret}
collections:
- source: public.items
"""


def read(text: str, **environ: str) -> PlanFile:
    return read_plan(text, environ=environ or {"SHOP_PASSWORD": "s3cret"}, folder=Path())


def fault_codes(text: str) -> dict[str, str]:
    return {fault.path: fault.code for fault in read(text).faults}


def test_a_schema_to_copy_cannot_be_written_into_a_plan_file():
    (fault,) = read(GOOD + '  exact: "CgVpdGVtcw=="').faults
    assert (fault.path, fault.code) == ("collections[0].exact", "key_unknown")


def test_a_short_plan_is_read_with_the_defaults_of_the_wizard():
    plan = read(GOOD).checked()
    assert plan.collections[0].source == "public.items"
    assert plan.options.verify == "counts"
    assert plan.target.database == "default"


def test_opened_columns_are_read_where_earlier_plans_have_them():
    opened = GOOD + "  select: {open: [metadata], where: id > 1}\n"
    (collection,) = read(opened).checked().collections
    assert (collection.open, collection.select) == (["metadata"], {"where": "id > 1"})
    faulty = read(opened.replace("[metadata]", "metadata"))
    assert [fault.path for fault in faulty.faults] == ["collections[0].open"]
    assert faulty.plan.collections[0].select == {"where": "id > 1"}


@pytest.mark.parametrize(("skips", "rule"), [("true", "skip"), ("false", "reject")])
def test_the_rule_for_absent_vectors_of_earlier_plans_is_read(skips, rule):
    earlier = f"{GOOD}  skip_null_vectors: {skips}\n"
    (collection,) = read(earlier).checked().collections
    assert collection.absent_vectors == rule
    assert fault_codes(earlier.replace(skips, "perhaps")) == {
        "collections[0].skip_null_vectors": "key_unknown"
    }


def test_the_partitions_of_a_source_may_have_an_empty_name():
    names = GOOD + '  partitions: {"": nameless, ns_a: a}\n'
    (collection,) = read(names).checked().collections
    assert collection.partitions == {"": "nameless", "ns_a": "a"}
    (none,) = read(GOOD + "  partitions: {}\n").checked().collections
    assert none.partitions == {}
    assert read(dump_yaml(read(names).checked().dump())).checked().collections == [collection]


def test_a_variable_is_taken_from_the_environment_and_only_its_name_is_stored():
    file = read(GOOD)
    assert file.settings["source"]["password"] == "s3cret"
    assert file.checked().source.settings["password"] == "${SHOP_PASSWORD}"
    assert "s3cret" not in repr(file)


def test_a_typed_secret_is_not_stored_in_the_plan():
    file = read(GOOD)
    assert file.settings["target"]["token"] == "typed-secret"
    assert "typed-secret" not in dump_yaml(file.checked().dump())


def test_a_missing_variable_is_reported_with_its_path():
    file = read(GOOD, OTHER="x")
    assert [(f.code, f.path) for f in file.faults] == [("variable_missing", "source.settings.password")]
    assert "SHOP_PASSWORD" in file.faults[0].message


def test_all_faults_are_reported_together_each_with_its_path():
    text = GOOD.replace("- source: public.items", "- source: a\n  shards: many\n  colour: red\n- target: b")
    codes = fault_codes(text.replace("database: shop", "databse: shop"))
    assert codes == {
        "source.settings.databse": "key_unknown",
        "collections[0].shards": "value_invalid",
        "collections[0].colour": "key_unknown",
        "collections[1].source": "key_missing",
    }


def test_collections_without_faults_are_left_for_the_checks_that_need_a_connection():
    text = GOOD.replace("- source: public.items", "- source: a\n  shards: many\n- target: b\n- source: c")
    plan = read(text).plan
    assert [c.source for c in plan.collections] == ["a", "c"]


def test_the_fault_of_a_misspelt_key_suggests_the_right_one():
    [fault] = read(GOOD + "  discription: x\n").faults
    assert fault.path == "collections[0].discription"
    assert "“description”" in fault.hint


@pytest.mark.parametrize(
    ("addition", "path"),
    [
        ("options: {verify: full}\n", "options.verify"),
    ],
)
def test_an_option_that_is_not_built_yet_is_refused_by_name(addition, path):
    [fault] = read(GOOD + addition).faults
    assert (fault.code, fault.path) == ("not_available", path)
    assert fault.option in fault.message


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "just text",
        "a: [",
        "version: 1\nversion: 1",
        "? {a: b}\n: c",
        "&a [*a]",
        "a: !!python/none x",
        "\x00",
    ],
)
def test_text_that_is_not_a_plan_is_refused_with_a_sentence(text):
    file = read(text)
    assert file.faults
    assert all(fault.message.endswith(".") for fault in file.faults)
    with pytest.raises(PlanRefused):
        file.checked()


def test_a_connection_together_with_settings_is_refused():
    codes = fault_codes(GOOD.replace("  kind: postgresql", "  connection: shop\n  kind: postgresql"))
    assert codes["source"] == "connection_unclear"


def test_an_unknown_kind_is_refused_and_the_known_ones_are_listed():
    [fault] = read(GOOD.replace("kind: postgresql", "kind: oracle")).faults
    assert (fault.path, fault.code) == ("source.kind", "kind_unknown")
    assert "postgresql" in fault.hint


def test_a_certificate_is_read_from_its_file(tmp_path):
    (tmp_path / "ca.pem").write_text("-----BEGIN CERTIFICATE-----\nMA==\n-----END CERTIFICATE-----\n")
    text = GOOD.replace("token: typed-secret", 'token: x, ca_cert: "@ca.pem"')
    file = read_plan(text, environ={"SHOP_PASSWORD": "x"}, folder=tmp_path)
    assert file.settings["target"]["ca_cert"].startswith("-----BEGIN")
    assert file.checked().target.settings["ca_cert"] == "@ca.pem"


def test_a_certificate_that_is_not_pem_text_is_refused(tmp_path):
    (tmp_path / "ca.der").write_bytes(b"\x30\x82\xff\xfe")
    (tmp_path / "ca.txt").write_text("just words")
    refused = (("ca.der", "file_unreadable", "not text"), ("ca.txt", "value_invalid", "PEM text"))
    for name, code, words in refused:
        text = GOOD.replace("token: typed-secret", f'token: x, ca_cert: "@{name}"')
        [fault] = read_plan(text, environ={"SHOP_PASSWORD": "x"}, folder=tmp_path).faults
        assert (fault.path, fault.code) == ("target.settings.ca_cert", code)
        assert words in fault.message


def test_a_missing_certificate_file_is_a_fault_of_its_setting():
    codes = fault_codes(GOOD.replace("token: typed-secret", 'token: x, ca_cert: "@nowhere.pem"'))
    assert codes == {"target.settings.ca_cert": "file_unreadable"}


def test_a_written_plan_is_read_back_unchanged():
    plan = read(GOOD).checked()
    again = read(dump_yaml(plan.dump()))
    assert again.checked() == plan
    assert yaml.safe_load(dump_yaml(plan.dump()))["version"] == 1


@pytest.mark.parametrize(
    "name",
    [
        "${HOME}",
        "$${HOME}",
        "$$${HOME}",
        "$",
        "$$",
        "${}",
        "$ {HOME}",
        "${HOME}${HOME}",
        "a$${SHOP_PASSWORD}b",
    ],
)
def test_a_name_that_looks_like_a_variable_is_written_and_read_back_unchanged(name):
    plan = read(GOOD).checked()
    plan.collections[0].source = f"public.{name}"
    written = dump_yaml(plan.dump())
    again = read(written).checked()
    assert again == plan
    assert again.source.settings["password"] == "${SHOP_PASSWORD}"


def test_an_escaped_variable_is_not_taken_from_the_environment():
    text = GOOD.replace('password: "${SHOP_PASSWORD}"', 'password: "$${NOWHERE}"')
    file = read(text)
    assert not file.faults
    assert file.settings["source"]["password"] == "${NOWHERE}"
    assert "password" not in file.checked().source.settings


def test_a_kind_without_settings_has_faults_for_the_missing_settings():
    text = "version: 1\nsource: {kind: postgresql}\ntarget: {kind: milvus}\ncollections: [{source: a.b}]"
    assert {fault.path.partition(".")[0] for fault in read(text).faults} == {"source", "target"}


def test_aliases_that_stand_for_millions_of_values_are_refused_before_they_are_expanded():
    levels = "abcdefghij"
    lines = ["a: &a [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"{n}: &{n} [{', '.join([f'*{m}'] * 10)}]" for m, n in pairwise(levels)]
    [fault] = read("\n".join(lines)).faults
    assert fault.code == "plan_too_large"
    assert "200,000" in fault.message


@pytest.mark.parametrize("text", ["a: &a [*a]", "a: &a {b: *a}"])
def test_a_plan_that_contains_itself_is_refused(text):
    [fault] = read(text).faults
    assert fault.code in ("plan_too_large", "yaml_invalid")


def test_an_alias_may_be_used():
    file = read(GOOD + "  description: &text Books\n- {source: public.more, description: *text}\n")
    assert [c.description for c in file.checked().collections] == ["Books", "Books"]


def test_an_option_that_is_not_built_yet_is_named_as_in_the_file():
    messages = [fault.message for fault in read(GOOD + "options: {verify: full}\n").faults]
    assert messages == ["“verify: full” is not available yet."]


@pytest.mark.parametrize(
    "written", [".inf", "-.inf", ".nan", "!!binary aGk=", "!!set {a, b}", r'"a\0b"', r'"a\ud800"']
)
def test_a_value_that_json_cannot_hold_is_refused_with_its_path(written):
    codes = fault_codes(GOOD + f"  fields: [{{source: n, fill_null: {written}}}]\n")
    assert codes == {"collections[0].fields[0].fill_null": "value_invalid"}


def test_a_key_or_variable_with_invalid_characters_is_refused_and_not_repeated():
    assert fault_codes(GOOD + r'  "\ud800": 1' + "\n") == {"collections[0]": "value_invalid"}
    [fault] = read(GOOD, SHOP_PASSWORD="pass\udcff").faults
    assert (fault.path, fault.code) == ("source.settings.password", "value_invalid")
    assert "pass" not in fault.message


@pytest.mark.parametrize("name", ["é", "x" * 256, '""', '"a\\tb"'])
def test_an_invalid_database_name_is_refused_with_its_path(name):
    codes = fault_codes(GOOD.replace("  kind: milvus", f"  kind: milvus\n  database: {name}"))
    assert codes == {"target.database": "value_invalid"}
