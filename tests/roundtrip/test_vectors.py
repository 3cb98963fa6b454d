"""Vectors of every kind: they are read back number by number, or refused with the reason."""

import json
import math

import numpy as np
import pytest

TINY = 2.0**-149
LARGEST = 3.4028234663852886e38


def create_table(mover, native, *texts):
    mover.postgres("DROP TABLE IF EXISTS vectors")
    mover.postgres(f"CREATE TABLE vectors (id integer PRIMARY KEY, v {native})")
    for number, text in enumerate(texts):
        mover.postgres(f"INSERT INTO vectors VALUES (%s, %s::text::{native})", (number, text))


def codes(faults):
    return {fault["code"] for fault in faults}


def vectors_of(moved):
    assert moved.report["status"] == "Successful", moved.log
    return {key: row["v"] for key, row in moved.rows().items()}


def test_edge_numbers_arrive_exactly(mover):
    create_table(mover, "vector(3)", "[-0,1e-45,3.4028235e38]", "[0,0,0]", "[0.1,-3.4028235e38,1]")
    found = vectors_of(mover.move("public.vectors"))
    assert found[0] == [-0.0, TINY, LARGEST]
    assert math.copysign(1, found[0][0]) == -1
    assert found[1] == [0.0, 0.0, 0.0]
    assert found[2] == [0.10000000149011612, -LARGEST, 1.0]


@pytest.mark.parametrize("dim", [2, 3, 2_000, 16_000])
def test_vectors_up_to_the_largest_dimension_arrive(mover, dim):
    numbers = np.linspace(-1, 1, dim, dtype=np.float32)
    create_table(mover, f"vector({dim})", "[" + ",".join(map(repr, numbers.tolist())) + "]")
    moved = mover.move("public.vectors")
    assert vectors_of(moved) == {0: numbers.tolist()}
    assert moved.fields["v"]["params"]["dim"] == dim


def test_a_vector_of_one_dimension_is_refused(mover):
    create_table(mover, "vector(1)", "[1]")
    assert "dim_out_of_range" in codes(mover.refused("public.vectors"))
    create_table(mover, "vector", "[1]")
    assert "dim_out_of_range" in codes(mover.refused("public.vectors"))


@pytest.mark.parametrize("native", ["vector", "halfvec"])
def test_an_undeclared_dimension_is_measured(mover, native):
    create_table(mover, native, "[1,2,3]", None, "[4,5,6]")
    moved = mover.move("public.vectors", fields=[{"source": "id"}, {"source": "v", "type": "FLOAT_VECTOR"}])
    assert vectors_of(moved) == {0: [1.0, 2.0, 3.0], 2: [4.0, 5.0, 6.0]}
    assert moved.counts["rows_skipped"] == 1


@pytest.mark.parametrize("native", ["vector", "halfvec"])
def test_mixed_dimensions_are_refused_with_their_counts(mover, native):
    create_table(mover, native, "[1,2,3]", "[1,2]", "[3,4]", None)
    faults = mover.refused("public.vectors")
    (mixed,) = (fault for fault in faults if fault["code"] == "mixed_dimensions")
    assert "2 (2 rows), 3 (1 row)" in mixed["message"]
    assert [fix["label"] for fix in mixed["fixes"]] == [
        "Move only the 2 rows with 2 dimensions",
        "Move only the 1 row with 3 dimensions",
        "Leave it out",
    ]
    assert "write “select: {where: vector_dims(v) = 2}” or" in mixed["hint"]
    moved = mover.move("public.vectors", select=json.loads(mixed["fixes"][0]["value"]))
    assert vectors_of(moved) == {1: [1.0, 2.0], 2: [3.0, 4.0]}


def test_a_dimension_is_selected_in_addition_to_a_condition(mover):
    mover.postgres('DROP TABLE IF EXISTS odd; CREATE TABLE odd (id int PRIMARY KEY, "Emb" halfvec)')
    mover.postgres("INSERT INTO odd VALUES (1, '[1,2]'), (2, '[1,2,3]'), (3, '[1,2,3]'), (4, '[1]')")
    (mixed,) = mover.refused("public.odd", select={"where": "id < 3 OR id = 3"})
    where = json.loads(mixed["fixes"][0]["value"])["where"]
    assert where == '(id < 3 OR id = 3) AND vector_dims("Emb") = 3'
    assert not mover.refused("public.odd", select={"where": where})


def test_rows_without_a_vector_are_skipped_or_rejected(mover):
    create_table(mover, "vector(2)", "[1,2]", None, "[3,4]")
    skipped = mover.move("public.vectors")
    assert vectors_of(skipped).keys() == {0, 2}
    assert (skipped.counts["rows_skipped"], skipped.counts["rows_rejected"]) == (1, 0)
    strict = mover.move("public.vectors", absent_vectors="reject")
    assert vectors_of(strict).keys() == {0, 2}
    assert [(row["locator"], row["code"]) for row in strict.rejected] == [("1", "null_vector")]


def test_rows_that_lack_one_of_two_vectors_are_counted_before_the_move_and_skipped(mover):
    """Milvus 2.3.5 stores only one vector: then the other one is not required."""
    mover.postgres("CREATE TABLE pairs (id int PRIMARY KEY, v vector(2), w vector(2))")
    mover.postgres(
        "INSERT INTO pairs SELECT n, CASE WHEN n > 1 THEN '[1,2]'::vector END,"
        " CASE WHEN n < 5 THEN '[3,4]'::vector END FROM generate_series(0, 9) n"
    )
    moved = mover.move("public.pairs", {"max_skipped": 0.7})
    skipped = 7 if mover.is_lite else 2
    assert (moved.counts["rows_read"], moved.counts["rows_skipped"]) == (10, skipped)
    assert moved.counts["verified"] is True
    lacking = "“v” or “w”" if mover.is_lite else "“v”"
    assert f"public.pairs: {skipped} of 10 rows lack {lacking} and will be skipped." in moved.log
    mover.postgres("UPDATE pairs SET v = NULL WHERE id < 5")
    if mover.is_lite:
        (fault,) = mover.refused("public.pairs")
        assert (fault["code"], fault["hint"]) == (
            "no_row_has_vectors",
            "Leave “v” out: 5 of the rows lack it. In the plan file, write "
            "“override: true” and “fields: [{source: v, include: false}]”.",
        )
    mover.postgres("DROP TABLE pairs")


def test_half_vectors_become_float_vectors_if_the_target_lacks_half_vectors(mover):
    create_table(mover, "halfvec(3)", "[-0,6e-8,65504]", "[0.1,0,-1]")
    moved = mover.move("public.vectors")
    assert vectors_of(moved) == {0: [-0.0, 2.0**-24, 65504.0], 1: [0.0999755859375, 0.0, -1.0]}
    assert moved.fields["v"]["type"].name == "FLOAT_VECTOR"
    fields = [{"source": "id"}, {"source": "v", "type": "FLOAT16_VECTOR"}]
    assert "type_unavailable" in codes(mover.refused("public.vectors", fields=fields))


def test_sparse_vectors_arrive_if_the_target_supports_them(mover):
    many = "{" + ",".join(f"{n}:{n}" for n in range(1, 5_001)) + "}/5000"
    create_table(mover, "sparsevec", "{1:1.5,5:0.25}/5", "{1000000000:1e-45}/1000000000", many)
    if not mover.is_lite:
        assert "no_vector" in codes(mover.refused("public.vectors"))
        return
    found = vectors_of(mover.move("public.vectors"))
    assert found[0] == {0: 1.5, 4: 0.25}
    assert found[1] == {999_999_999: TINY}
    assert found[2] == {n - 1: float(n) for n in range(1, 5_001)}


def test_sparse_vectors_that_milvus_refuses_are_rejected(mover):
    create_table(mover, "sparsevec(5)", "{1:1}/5", "{1:-1,3:2}/5", "{}/5")
    if not mover.is_lite:
        assert "no_vector" in codes(mover.refused("public.vectors"))
        return
    moved = mover.move("public.vectors", {"max_skipped": 0.7})
    assert vectors_of(moved) == {0: {0: 1.0}}
    # Milvus accepts an empty sparse vector since 2.4.12; Milvus Lite requires an entry.
    assert {row["locator"]: row["code"] for row in moved.rejected} == {
        "1": "negative_value",
        "2": "empty_sparse_vector",
    }


def test_bit_strings_arrive_as_binary_vectors_if_the_target_supports_them(mover):
    create_table(mover, "bit(16)", "1000000000000001", "0" * 16)
    if mover.is_lite:
        assert "no_vector" in codes(mover.refused("public.vectors"))
        return
    assert vectors_of(mover.move("public.vectors")) == {0: [b"\x80\x01"], 1: [b"\0\0"]}


def test_bit_strings_next_to_a_vector_become_texts(mover):
    mover.postgres("DROP TABLE IF EXISTS vectors")
    mover.postgres("CREATE TABLE vectors (id integer PRIMARY KEY, v vector(2), b bit(8) NOT NULL)")
    mover.postgres("INSERT INTO vectors VALUES (1, '[1,2]', b'00000001')")
    assert mover.move("public.vectors").rows()[1]["b"] == "00000001"


def test_several_vector_fields_arrive_if_the_target_allows_them(mover):
    mover.postgres("DROP TABLE IF EXISTS vectors")
    mover.postgres("CREATE TABLE vectors (id integer PRIMARY KEY, v vector(2), w halfvec(3), x vector(4))")
    mover.postgres("INSERT INTO vectors VALUES (1, '[1,2]', '[1,2,3]', '[1,2,3,4]')")
    moved = mover.move("public.vectors")
    assert moved.report["status"] == "Successful", moved.log
    expected = {"id": 1, "v": [1.0, 2.0], "w": [1.0, 2.0, 3.0], "x": [1.0, 2.0, 3.0, 4.0]}
    assert moved.rows()[1] == (expected if mover.is_lite else {"id": 1, "v": [1.0, 2.0]})


def test_domains_over_vectors_arrive_as_vectors(mover):
    mover.postgres(
        "DROP TABLE IF EXISTS vectors; DROP DOMAIN IF EXISTS embedding; CREATE DOMAIN embedding AS vector(2)"
    )
    mover.postgres("CREATE TABLE vectors (id integer PRIMARY KEY, v embedding)")
    mover.postgres("INSERT INTO vectors VALUES (1, '[1,2]')")
    assert vectors_of(mover.move("public.vectors")) == {1: [1.0, 2.0]}
