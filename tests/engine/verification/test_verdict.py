"""Verdict: whether the counts of source and target prove that all rows arrived."""

import pytest

from migrations_app.engine.model.counters import Counters
from migrations_app.engine.verification.verdict import KeyCheckCounts, judge

CLEAN = Counters(read=100, written=100)
LOSSY = Counters(read=100, written=94, rejected=3, skipped=2, collapsed=1)

TABLE = [
    # counters, source before, after, target before, after -> verified, explained
    ("all arrived", CLEAN, 100, 100, 0, 100, True, False),
    ("added to what was there", CLEAN, 100, 100, 50, 150, True, False),
    ("rejected, skipped, collapsed", LOSSY, 100, 100, 0, 94, True, True),
    ("source grew, all read before", CLEAN, 100, 120, 0, 100, True, True),
    ("source grew, some of it read", Counters(read=110, written=110), 100, 120, 0, 110, True, True),
    ("source shrank in the meantime", Counters(read=90, written=90), 100, 80, 0, 90, True, True),
    ("only counted before", CLEAN, 100, None, 0, 100, True, True),
    ("an empty source", Counters(), 0, 0, 0, 0, True, False),
    ("rows lost in the target", CLEAN, 100, 100, 0, 99, False, False),
    ("rows doubled in the target", CLEAN, 100, 100, 0, 101, False, False),
    ("rows lost that are not the rejected ones", LOSSY, 100, 100, 0, 93, False, False),
    ("rejected rows arrived anyway", LOSSY, 100, 100, 0, 100, False, False),
    ("rows never read", Counters(read=98, written=98), 100, 100, 0, 98, False, False),
    ("rows read twice", Counters(read=102, written=102), 100, 100, 0, 102, False, False),
    ("more read than the source ever had", Counters(read=121, written=121), 100, 120, 0, 121, False, False),
    ("target not counted", CLEAN, 100, 100, 0, None, None, False),
    ("a source emptied after all was read", CLEAN, 100, 0, 0, 100, True, True),
    ("a source emptied before all was read", Counters(read=40, written=40), 100, 0, 0, 40, False, False),
    ("a source emptied before anything was read", Counters(), 100, 0, 0, 0, False, False),
    ("source not counted", CLEAN, None, None, 0, 100, True, False),
    ("source not counted, and rows lost", CLEAN, None, None, 0, 99, False, False),
]  # fmt: skip


@pytest.mark.parametrize(
    ("counters", "before", "after", "target_before", "target_after", "verified", "explained"),
    [row[1:] for row in TABLE],
    ids=[row[0] for row in TABLE],
)
def test_the_counts_give_the_verdict(
    counters, before, after, target_before, target_after, verified, explained
):
    verdict = judge(
        counters,
        source_before=before,
        source_after=after,
        target_before=target_before,
        target_after=target_after,
    )

    assert (verdict.verified, verdict.explained) == (verified, explained)


@pytest.mark.parametrize("before", [97, 250])
def test_an_inexact_count_of_the_source_never_fails_a_job(before):
    verdict = judge(CLEAN, source_before=before, source_after=before, source_is_exact=False, target_after=100)

    assert verdict.verified is True
    assert verdict.message == (
        f"All 100 rows arrived. The source's count ({before}) is not exact, so the rows read were not "
        "compared with it."
    )


def test_an_inexact_count_does_not_verify_that_nothing_was_read():
    verdict = judge(Counters(), source_before=97, source_after=97, source_is_exact=False, target_after=0)

    assert verdict.verified is None


def message_of(counters, *, before=100, after=100, in_target=100, **more):
    return judge(counters, source_before=before, source_after=after, target_after=in_target, **more).message


def test_the_message_describes_what_happened():
    assert message_of(CLEAN) == "All 100 rows arrived."
    assert (
        message_of(LOSSY, in_target=94) == "94 rows arrived (100 read, 3 rejected, 2 skipped, 1 collapsed)."
    )
    assert message_of(CLEAN, in_target=99) == "100 rows sent; the target has 99 new rows."
    assert message_of(LOSSY, in_target=1) == (
        "94 rows sent (100 read, 3 rejected, 2 skipped, 1 collapsed); the target has 1 new row."
    )
    assert message_of(CLEAN, before=101, after=101) == "100 rows read; the source had 101."
    assert message_of(CLEAN, before=200, after=1101) == (
        "100 rows read; the source had 200 before and 1,101 after the job."
    )
    assert message_of(CLEAN, in_target=None, reason="No right to load.") == "No right to load."


EQUAL = Counters(read=100, written=96, rejected=1, collapsed=3)


ALL_SENT = "100 rows sent; the target has {} new rows"
SOME_SENT = "96 rows sent (100 read, 1 rejected, 3 collapsed); the target has {} new rows"
REPLACED = "100 rows sent, {} of them replaced by others with the same key; the target has {} new rows"
MAY_BE_REPLACED = (
    ". Rows with equal keys may have replaced {} of the sent rows, which explains the difference of {}."
)


@pytest.mark.parametrize(
    ("counters", "duplicates", "in_target", "verified", "sentence"),
    [
        (CLEAN, (7,), 93, True, REPLACED.format(7, 93) + "."),
        (CLEAN, (0,), 100, True, "All 100 rows arrived."),
        (CLEAN, (7,), 92, False, REPLACED.format(7, 92) + ", not 93."),
        (CLEAN, (7,), 94, False, REPLACED.format(7, 94) + ", not 93."),
        (CLEAN, (0,), 99, False, ALL_SENT.format(99) + "."),
        (CLEAN, (3, 9), 94, True, ALL_SENT.format(94) + MAY_BE_REPLACED.format("3 to 9", 6)),
        (EQUAL, (8,), 91, True, SOME_SENT.format(91) + MAY_BE_REPLACED.format("4 to 5", 5)),
        (EQUAL, (8,), 92, True, SOME_SENT.format(92) + MAY_BE_REPLACED.format("4 to 5", 4)),
        (EQUAL, (3,), 96, True, "96 rows arrived (100 read, 1 rejected, 3 collapsed)."),
        (CLEAN, None, 100, True, "All 100 rows arrived."),
        (CLEAN, None, 101, False, ALL_SENT.format(101) + "."),
    ],
)
def test_rows_with_equal_keys_explain_only_as_many_missing_rows_as_the_source_has(
    counters, duplicates, in_target, verified, sentence
):
    counts = {"source_before": 100, "source_after": 100, "target_after": in_target}
    verdict = judge(counters, **counts, duplicates=duplicates)

    assert (verdict.verified, verdict.message) == (verified, sentence)
    assert verdict.explained == (verified is True and in_target < 100)


def test_the_message_gives_a_range_if_the_number_of_replaced_rows_is_not_exact():
    assert message_of(EQUAL, in_target=90, duplicates=(8,)) == (
        "96 rows sent (100 read, 1 rejected, 3 collapsed), 4 to 5 of them replaced by others with the same "
        "key; the target has 90 new rows, not 91 to 92."
    )


def test_fewer_rows_prove_nothing_if_duplicate_keys_were_not_counted():
    verdict = judge(CLEAN, source_before=100, source_after=100, target_after=99, duplicates=None)

    assert verdict.verified is None
    assert "does not declare its key unique" in verdict.message


def test_a_missing_row_is_not_excused_if_the_key_is_declared_unique():
    grown = Counters(read=110, written=110)
    verdict = judge(grown, source_before=100, source_after=120, target_after=109)

    assert verdict.verified is False


def test_the_keys_decide_if_rows_replaced_existing_ones():
    def verdict(*found):
        return judge(
            EQUAL,
            source_before=100,
            source_after=100,
            target_before=50,
            target_after=60,
            duplicates=(8,),
            keys=KeyCheckCounts(*found),
        )

    assert verdict(99, 99).verified is True
    assert verdict(99, 98).verified is False
    assert verdict(96, 96).verified is None


def test_the_checks_are_converted_to_json_for_a_report():
    verdict = judge(LOSSY, source_before=100, source_after=100, target_after=94)

    assert verdict.checks_as_dicts() == [
        {
            "check": "rows_read",
            "expected": 100,
            "found": 100,
            "passed": True,
            "message": "100 rows read; the source had 100.",
        },
        {
            "check": "rows_in_target",
            "expected": 94,
            "found": 94,
            "passed": True,
            "message": "94 rows sent (100 read, 3 rejected, 2 skipped, 1 collapsed); "
            "the target has 94 new rows.",
        },
    ]


def test_equal_keys_prove_nothing_if_some_rows_were_not_read():
    """20 of 100 rows are duplicates; how many of them are among the 60 rows that were read is not known."""
    counters = Counters(read=60, written=60)
    counts = {"source_before": 100, "source_after": 100, "target_after": 50}
    verdict = judge(counters, **counts, limit=60, duplicates=(20,))
    assert verdict.verified is None
    assert verdict.message == (
        "60 rows sent; the target has 50 new rows. Rows with equal keys may have replaced 0 to 20 of the "
        "sent rows, but not all rows of the source were read, so rows may also have been lost."
    )


@pytest.mark.parametrize(
    ("keys", "verified", "words"),
    [
        (KeyCheckCounts(100, 100), True, "the target has every key"),
        (KeyCheckCounts(100, 99), False, "and only 99 of the 100 sent keys."),
        (KeyCheckCounts(90, 90), None, "the source was changed meanwhile"),
        (KeyCheckCounts(0, 0, "No right to load"), None, "the same keys: No right to load."),
    ],
)
def test_rows_that_replaced_existing_ones_are_verified_by_their_keys(keys, verified, words):
    verdict = judge(CLEAN, source_before=100, source_after=100, target_before=50, target_after=130, keys=keys)
    assert (verdict.verified, verdict.explained) == (verified, verified is True)
    assert verdict.message == verdict.checks[1].message
    assert words in verdict.message
    assert verdict.checks[1].message.startswith("100 rows sent; the target has 80 new rows")


@pytest.mark.parametrize("before", [50, 60])
@pytest.mark.parametrize(("duplicates", "verified"), [((), False), ((0,), False), ((5,), None), (None, None)])
def test_a_key_in_two_partitions_is_not_verified(before, duplicates, verified):
    """The row counts do not matter. If the source has or may have equal keys, the verdict is open."""
    verdict = judge(
        CLEAN,
        source_before=100,
        source_after=100,
        target_before=before,
        target_after=150,
        keys=KeyCheckCounts(100, 103),
        duplicates=duplicates,
    )
    assert verdict.verified is verified
    assert "100 keys sent; the target has 103 rows with these keys" in verdict.message


def test_the_keys_need_not_be_searched_if_no_row_replaced_another():
    verdict = judge(
        CLEAN, source_before=100, source_after=100, target_before=50, target_after=150, keys=KeyCheckCounts()
    )
    assert verdict.verified is True


def test_a_difference_needs_both_counts():
    verdict = judge(
        CLEAN,
        source_before=100,
        source_after=100,
        target_before=None,
        target_after=150,
        reason="Not counted.",
    )
    assert (verdict.verified, verdict.message) == (None, "Not counted.")


@pytest.mark.parametrize(("read", "verified"), [(30, True), (29, False), (31, False), (100, False)])
def test_with_a_limit_only_the_first_rows_are_expected(read, verified):
    counters = Counters(read=read, written=read)
    verdict = judge(counters, source_before=100, source_after=120, target_after=read, limit=30)
    assert (verdict.verified, verdict.explained) == (verified, False)


def test_the_keys_decide_if_they_were_searched():
    """Equal keys in the source could explain the missing rows, but two of the sent keys are not found."""
    verdict = judge(
        CLEAN,
        source_before=100,
        source_after=100,
        target_before=50,
        target_after=130,
        keys=KeyCheckCounts(100, 98),
        duplicates=(20,),
    )
    assert verdict.verified is False
    assert "only 98 of the 100 sent keys" in verdict.message
