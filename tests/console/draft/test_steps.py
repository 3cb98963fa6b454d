"""Wizard steps: their order, and when each one opens."""

import pytest

from console.draft.steps import Progress, Step, marks

FULL = {"has_source": True, "has_target": True, "collections": 2, "described": 2}


@pytest.mark.parametrize(
    ("progress", "furthest"),
    [
        (Progress(), Step.CONNECT),
        (Progress(has_target=True, collections=1, described=1), Step.CONNECT),
        (Progress(has_source=True), Step.SELECT),
        (Progress(has_source=True, has_target=True), Step.SELECT),
        (Progress(has_source=True, collections=1, described=1), Step.SELECT),
        (Progress(**FULL | {"described": 1}), Step.SCHEMA),
        (Progress(**FULL, problems=1), Step.SCHEMA),
        (Progress(**FULL), Step.MIGRATE),
    ],
)
def test_a_step_opens_when_the_one_before_is_complete(progress: Progress, furthest: Step) -> None:
    assert progress.furthest is furthest
    assert [step for step in Step if progress.may_enter(step)] == list(Step)[:furthest]


def test_steps_before_the_furthest_are_done_even_if_an_earlier_one_is_current() -> None:
    shown = marks(Step.SELECT, Progress(**FULL))
    assert [(mark.number, mark.state, mark.may_enter) for mark in shown] == [
        (1, "done", True),
        (2, "current", True),
        (3, "done", True),
        (4, "todo", True),
    ]
    assert shown[0].title == "Connect to Data Source"
