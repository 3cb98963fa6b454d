"""Partitions by the value of a column: rows go into them on both Milvus servers, and pymilvus reads them."""

import pytest

VALUES = ["en", "en-GB", "en_GB", "", "żółć", "_default", "7", "'; DROP TABLE x; --", None]
NAMES = {
    "": "_b1fe",
    "'; DROP TABLE x; --": "___DROP_TABLE_x_____70e4",
    "7": "_7_b0ae",
    "_default": "_default_346b",
    "en": "en",
    "en-GB": "en_GB_fb1d",
    "en_GB": "en_GB",
    "żółć": "zolc_e3c1",
}


@pytest.fixture
def pages(mover):
    """450 rows in nine languages, one of which is NULL."""
    mover.postgres(
        "CREATE TABLE pages (id int PRIMARY KEY, v vector(2), lang text, shelf smallint, sold bool)"
    )
    for number, lang in enumerate(VALUES):
        mover.postgres(
            "INSERT INTO pages SELECT g * 9 + %s, ('[' || g || ',1]')::vector, %s, g %% 3 - 1, g %% 2 = 0"
            " FROM generate_series(0, 49) g",
            (number, lang),
        )
    yield
    mover.postgres("DROP TABLE pages CASCADE")


def keys_in(moved, partition):
    """The keys in one partition, as plain pymilvus finds them."""
    moved.count()
    found = moved.client.query(
        moved.target, "id >= 0", output_fields=["id"], partition_names=[partition], consistency_level="Strong"
    )
    return {row["id"] for row in found}


def test_each_value_gets_a_partition_and_null_goes_into_the_default_one(mover, pages):
    moved = mover.move("public.pages", partition_by="lang")

    assert moved.report["status"] == "Successful", moved.log
    assert set(moved.client.list_partitions(moved.target)) == {"_default", *NAMES.values()}
    for number, lang in enumerate(VALUES):
        name = "_default" if lang is None else NAMES[lang]
        assert keys_in(moved, name) == set(range(number, 450, 9)), name
    check = moved.counts["checks"][-1]
    assert (check["check"], check["passed"]) == ("rows_in_partitions", True)
    assert check["message"] == "9 partitions: each has exactly the rows of its value."
    assert moved.counts["verified"] is True


@pytest.mark.parametrize(
    ("column", "names"),
    [
        ("shelf", {"-1": "_1_193f", "0": "_0_795e", "1": "_1_4461"}),
        ("sold", {"true": "true", "false": "false"}),
    ],
)
def test_numbers_and_booleans_can_define_partitions_without_being_fields(mover, pages, column, names):
    fields = [{"source": "id"}, {"source": "v"}]

    moved = mover.move("public.pages", partition_by=column, fields=fields, key="id")

    assert moved.report["status"] == "Successful", moved.log
    assert set(moved.fields) == {"id", "v"}
    assert set(moved.client.list_partitions(moved.target)) == {"_default", *names.values()}
    assert moved.counts["checks"][-1]["passed"] is True
    assert sum(len(keys_in(moved, name)) for name in names.values()) == 450
    assert moved.job.collections.get().plan["partitions"] == names


def test_rows_with_auto_id_go_into_partitions_as_well(mover, pages):
    moved = mover.move("public.pages", partition_by="lang", key="auto", keep_source_key=True)

    assert moved.report["status"] == "Successful", moved.log
    assert moved.counts["verified"] is True
    assert len(moved.client.list_partitions(moved.target)) == 9


def test_appended_rows_go_into_existing_and_new_partitions(mover, pages):
    two_languages = {"where": "lang IN ('en', '7')"}
    moved = mover.move("public.pages", partition_by="lang", select=two_languages)
    assert set(moved.client.list_partitions(moved.target)) == {"_default", "en", "_7_b0ae"}
    mover.postgres("UPDATE pages SET id = id + 1000, lang = CASE WHEN lang = 'en' THEN 'en' ELSE 'fr' END")

    again = mover.move("public.pages", partition_by="lang", target=moved.target, if_exists="append")

    assert again.report["status"] == "Successful", again.log
    assert again.counts["verified"] is True
    assert set(moved.client.list_partitions(moved.target)) == {"_default", "en", "_7_b0ae", "fr"}
    assert {name: len(keys_in(moved, name)) for name in ("en", "_7_b0ae", "fr")} == {
        "en": 100,
        "_7_b0ae": 50,
        "fr": 400,
    }


def test_a_key_that_also_stays_in_its_old_partition_is_detected(mover, pages):
    """Milvus Lite stores one row for each key, Milvus one row for each key and partition."""
    moved = mover.move("public.pages", partition_by="lang", select={"where": "lang IN ('en', '7')"})
    mover.postgres("UPDATE pages SET lang = 'en' WHERE id < 9 AND lang = '7'")
    mover.postgres("DELETE FROM pages WHERE lang <> 'en' OR lang IS NULL")

    again = mover.move("public.pages", partition_by="lang", target=moved.target, if_exists="append")

    if mover.is_lite:
        assert again.report["status"] == "Successful", again.log
        assert again.count() == 100
        return
    assert again.report["status"] == "Failed"
    assert again.report["error"]["code"] == "verify_mismatch"
    assert "51 keys sent; the target has 52 rows with these keys" in again.report["error"]["message"]
    assert any("stores one row for each key and partition" in sentence for sentence in again.log)


def test_a_plan_without_partitions_cannot_append_to_a_partitioned_collection(mover, pages):
    moved = mover.move("public.pages", partition_by="lang", select={"where": "lang = 'en'"})
    append = {"target": moved.target, "if_exists": "append"}

    if mover.is_lite:
        again = mover.move("public.pages", **append)
        assert (again.counts["verified"], again.count()) == (True, 450)
        return
    [fault] = mover.refused("public.pages", **append)
    assert (fault["code"], fault["path"]) == ("partitions_there", "collections[0].partition_by")
    assert "divided into partitions (“en”)" in fault["message"]


def test_equal_keys_in_two_partitions_are_two_rows_except_on_milvus_lite(mover):
    """The table declares no key: “code” 1 occurs twice, in two languages."""
    mover.postgres("CREATE TABLE words (code int NOT NULL, lang text, v vector(2))")
    mover.postgres(
        "INSERT INTO words VALUES (1,'en','[1,1]'), (1,'de','[2,2]'), (2,'en','[3,3]'), (2,'en','[4,4]')"
    )

    moved = mover.move("public.words", partition_by="lang", key="code")

    assert moved.report["status"] == "Successful", moved.log
    found = [
        (partition, row["code"], list(row["v"]))
        for partition in ("de", "en")
        for row in moved.client.query(
            moved.target,
            "code > 0",
            output_fields=["v"],
            partition_names=[partition] if moved.count() else [],
            consistency_level="Strong",
        )
    ]
    mover.postgres("DROP TABLE words")
    german, english = ("de", 1, [2, 2]), ("en", 1, [1, 1])
    assert sorted(found) == sorted([german, ("en", 2, [4, 4])] + [english] * (not mover.is_lite))
    assert moved.counts["rows_collapsed"] == (2 if mover.is_lite else 1)


def test_more_values_than_the_target_allows_partitions_are_refused(mover):
    mover.postgres("CREATE TABLE many (id int PRIMARY KEY, v vector(2))")
    mover.postgres("INSERT INTO many SELECT g, '[1,1]' FROM generate_series(1, 4096) g")

    [fault] = mover.refused("public.many", partition_by="id")

    mover.postgres("DROP TABLE many")
    assert (fault["code"], fault["path"]) == ("too_many_partitions", "collections[0].partition_by")
    assert ("1,023" if mover.is_lite else "4,095") in fault["message"]
    assert mover.targets[-1] not in mover.client.list_collections()
