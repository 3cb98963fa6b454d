"""Run log: lines are stored in order and without secrets, even if they contain unusual characters."""

import pytest

from migrations_app.engine.errors import TargetError
from migrations_app.models import Job, LogEntry
from migrations_app.reporting.run_log import HIDDEN, RunLog, Scrubber, storable
from tests.migrations_app.conftest import SOURCE_PASSWORD, TARGET_TOKEN

pytestmark = pytest.mark.database


@pytest.fixture
def job(world, db) -> Job:
    return world.job()


@pytest.mark.parametrize(
    ("secret", "text"),
    [
        ("s3cret!", "password s3cret! refused"),
        ("p@ss/word", "postgresql://me:p%40ss%2Fword@db/shop"),
        ('qu"ote', 'settings {"password": "qu\\"ote"}'),
        ("postgresql://me:inner%20pw@db/shop", "the password was inner pw"),
        ("postgresql://me:inner%20pw@db/shop", "the password was inner%20pw"),
        ("abc", "key abc, done"),
    ],
)
def test_a_secret_is_hidden_in_every_form_it_takes(secret, text):
    scrubbed = Scrubber([secret])(text)
    assert HIDDEN in scrubbed
    assert not any(part in scrubbed for part in ("s3cret", "p%40ss", "qu", "inner", "abc"))


def test_a_short_secret_does_not_hide_parts_of_words():
    assert Scrubber(["a"])("a table and a view") == f"{HIDDEN} table and {HIDDEN} view"


def test_without_secrets_nothing_is_hidden():
    assert Scrubber([""])("a table") == "a table"


def test_lines_are_stored_in_order_with_their_details_and_without_secrets(job):
    log = RunLog(job)
    log("info", f"token {TARGET_TOKEN}", password=SOURCE_PASSWORD, rows=3)
    log("warning", "second")
    assert not LogEntry.objects.filter(message="second").exists()
    log.flush()
    first, second = LogEntry.objects.filter(job=job)
    assert (first.level, first.message) == ("info", f"token {HIDDEN}")
    assert first.details == f"password: {HIDDEN}\nrows: 3"
    assert second.message == "second"


def test_a_traceback_is_stored_in_the_details_without_secrets(job):
    log = RunLog(job)
    try:
        raise TargetError(f"no: {TARGET_TOKEN}")
    except TargetError as error:
        log.traceback("It failed.", error)
    log.flush()
    entry = LogEntry.objects.get(job=job)
    assert "Traceback" in entry.details
    assert TARGET_TOKEN not in entry.details


@pytest.mark.parametrize("text", ["a\x00b", "half \ud800 of a pair", "🦀 plain"])
def test_any_text_can_be_stored(text, job):
    entry = LogEntry.objects.create(job=job, at=job.created_at, level="info", message=storable(text))
    assert LogEntry.objects.get(pk=entry.pk).message == storable(text)
    assert "\x00" not in storable(text)
