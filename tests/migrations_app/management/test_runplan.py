"""``manage.py runplan`` and ``manage.py jobs`` commands, from a source to a target in memory."""

from __future__ import annotations

import json
from io import StringIO
from typing import Any

import pytest
import yaml
from django.core.management import call_command
from django.db import OperationalError

from migrations_app.models import Connection, Job
from migrations_app.models.status import Status
from migrations_app.services import connection_save
from migrations_app.worker.inline import run_inline

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def saved(world):
    for role, is_target in (("source", False), ("target", True)):
        connection_save(
            name=f"memory-{role}",
            kind="memory",
            settings=world.settings[role],
            user=None,
            is_target=is_target,
        )
    return Connection.objects.all()


@pytest.fixture
def run(saved, tmp_path):
    """Return a function that runs a plan file and returns exit code, standard output and standard error."""

    def run(*flags: str, **plan: Any) -> tuple[int, str, str]:
        default_plan = {
            "version": 1,
            "source": {"connection": "memory-source"},
            "target": {"connection": "memory-target"},
            "collections": [{"source": "books"}],
        }
        file = tmp_path / "plan.yaml"
        file.write_text(yaml.safe_dump(default_plan | plan))
        return command("runplan", str(file), *flags)

    return run


def command(*words: str) -> tuple[int, str, str]:
    out, err = StringIO(), StringIO()
    try:
        call_command(*words, stdout=out, stderr=err, no_color=True)
    except SystemExit as end:
        return int(end.code or 0), out.getvalue(), err.getvalue()
    return 0, out.getvalue(), err.getvalue()


def test_an_inline_run_migrates_and_exits_with_zero(run, world):
    code, out, err = run("--inline")
    assert code == 0
    assert len(world.target.collections["books"].rows) == 100
    assert "Successful" in err
    assert out == ""


def test_with_json_only_the_report_is_on_standard_output(run):
    code, out, err = run("--inline", "--json")
    report = json.loads(out)
    assert (code, err) == (0, "")
    assert report["status"] == "Successful"
    [collection] = report["collections"]
    assert collection["rows_written"] == collection["rows_target"] == 100
    assert collection["verified"] is True
    assert set(report["seconds"]) == {"preparing", "moving", "verifying", "indexing", "loading"}


def test_rows_that_may_be_replaced_are_mentioned_before_and_after_the_run(run, world):
    """Of several rows with the same key only one stays, and it is unknown if there are such rows."""
    world.source.collections["books"].key = None
    plan = {"collections": [{"source": "books", "key": "id"}]}
    code, out, _ = run("--check", **plan)
    assert (code, "books: The source does not declare “id” unique" in out) == (0, True)
    (note,) = json.loads(run("--check", "--json", **plan)[1])["notes"]
    assert note.startswith("books: The source does not declare “id” unique")
    assert "The source does not declare “id” unique" in run("--inline", **plan)[2]


def test_a_missing_database_table_is_reported_with_the_migrate_command(monkeypatch):
    def missing(*words, **more):
        raise OperationalError("no such table: migrations_app_job")

    monkeypatch.setattr("migrations_app.management.commands.jobs.Command.handle", missing)
    code, _, err = command("jobs")
    assert code == 2
    assert "manage.py migrate" in err


def test_a_check_writes_nothing(run, world):
    code, out, _ = run("--check")
    assert code == 0
    assert "No problems found." in out
    assert not world.target.collections
    assert not Job.objects.exists()


def test_all_faults_are_reported_together_with_their_paths(run):
    code, _, err = run(
        "--check", collections=[{"source": "books", "shards": 99, "target": "my books"}, {"source": "no"}]
    )
    assert code == 2
    for place in ("collections[0].shards", "collections[0].target", "collections[1].source"):
        assert place in err


def test_a_fault_in_the_file_does_not_hide_faults_that_need_a_connection(run):
    code, _, err = run(collections=[{"source": "books", "colour": "red", "target": "my books"}])
    assert code == 2
    assert "collections[0].colour" in err
    assert "collections[0].target" in err
    assert not Job.objects.exists()


def test_source_and_target_are_both_tried_and_each_fault_has_its_path(db, tmp_path):
    unknown = {"host": "no-such-host.invalid", "database": "shop", "user": "reader"}
    plan = {
        "version": 1,
        "source": {"kind": "postgresql", "settings": unknown},
        "target": {"kind": "milvus", "settings": {"uri": "http://127.0.0.1:1"}},
        "options": {"verify": "full"},
        "collections": [{"source": "public.books"}],
    }
    file = tmp_path / "plan.yaml"
    file.write_text(yaml.safe_dump(plan))
    code, out, _ = command("runplan", str(file), "--check", "--json")
    assert code == 2
    assert {fault["path"]: fault["code"] for fault in json.loads(out)["faults"]} == {
        "options.verify": "not_available",
        "source.settings.host": "host_unknown",
        "target.settings.uri": "connection_refused",
    }


def test_a_plan_that_preparation_refuses_exits_with_two(run, world):
    odd = {"source": "books", "target": "like this", "shards": 99}
    code, out, err = run("--inline", "--json", collections=[odd])
    assert code == 2
    assert json.loads(out)["status"] == "Failed"
    assert not world.target.collections
    assert "collections[0].target" in err
    assert "collections[0].shards" in err


def test_too_many_rejected_rows_exit_with_one(run):
    fields = [
        {"source": "id"},
        {"source": "embedding"},
        {"source": "title", "type": "VARCHAR", "max_length": 6},
    ]
    code, out, _ = run(
        "--inline", "--json", options={"max_rejected": 0}, collections=[{"source": "books", "fields": fields}]
    )
    assert code == 1
    assert json.loads(out)["error"]["code"] == "too_many_rejected"


def test_a_plan_that_would_move_no_row_is_refused_before_anything_is_created(run, world):
    fields = [{"source": "id"}, {"source": "embedding"}, {"source": "title", "max_length": 2}]
    code, out, _ = run("--inline", "--json", collections=[{"source": "books", "fields": fields}])
    assert (code, world.target.collections) == (2, {})
    assert json.loads(out)["error"]["code"] == "no_row_would_move"
    code, out, _ = run("--check", "--json", collections=[{"source": "books", "fields": fields}])
    (fault,) = json.loads(out)["faults"]
    assert (code, fault["code"], fault["field"]) == (2, "no_row_would_move", "title")
    assert fault["fixes"][0] == {"label": "Raise to 65,535", "option": "max_length", "value": "65535"}


def test_the_check_counts_the_rows_that_would_be_rejected(run):
    fields = [{"source": "id"}, {"source": "embedding"}, {"source": "title", "max_length": 6}]
    plan = {"collections": [{"source": "books", "fields": fields}], "options": {"max_rejected": 50}}
    code, out, _ = run("--check", **plan)
    assert code == 0
    assert out.startswith("The plan can run, but some rows would be rejected.")
    assert "books: 90 of 100 rows would be rejected: “title” is longer than 6 bytes." in out
    assert "The job stops after 50 rejected rows (max_rejected), and 90 would be rejected." in out
    (found,) = json.loads(run("--check", "--json", **plan)[1])["collections"]
    assert (found["rows"], found["rows_rejected"], found["rows_skipped"]) == (100, 90, 0)


def test_a_successful_job_with_rejected_rows_exits_with_three(run):
    fields = [{"source": "id"}, {"source": "embedding"}, {"source": "title", "max_length": 6}]
    options = {"max_skipped": 1}
    code, out, _ = run(
        "--inline", "--json", options=options, collections=[{"source": "books", "fields": fields}]
    )
    report = json.loads(out)
    assert (code, report["status"], report["collections"][0]["rows_rejected"]) == (3, "Successful", 90)


def test_a_connection_that_is_not_saved_is_named_in_the_error(run):
    code, _, err = run(source={"connection": "nowhere"})
    assert code == 2
    assert "“nowhere”" in err
    assert "memory-source" in err


def test_no_wait_prints_the_job_and_returns(run):
    code, out, _ = run("--no-wait", "--json")
    assert code == 0
    assert json.loads(out)["job"] == Job.objects.get().public_id


def test_a_missing_file_is_refused_with_a_sentence(db):
    code, _, err = command("runplan", "/nowhere/plan.yaml")
    assert code == 2
    assert "cannot be read" in err
    assert "Traceback" not in err


def test_a_plan_with_settings_instead_of_connections_runs_and_stores_no_secret(run, world):
    code, out, _ = run(
        "--inline",
        "--json",
        source={"kind": "memory", "settings": world.settings["source"]},
        target={"kind": "memory", "settings": world.settings["target"]},
    )
    assert code == 0
    stored = json.dumps(Job.objects.get().plan) + out
    assert world.settings["source"]["password"] not in stored
    assert world.settings["target"]["token"] not in stored


def test_jobs_lists_jobs_shows_a_job_and_prints_its_log(run):
    run("--inline")
    public_id = Job.objects.get().public_id
    assert public_id in command("jobs")[1]
    assert "100 written" in command("jobs", "show", public_id[:12])[1]
    assert "Created collection" in command("jobs", "logs", public_id)[1]
    assert json.loads(command("jobs", "show", public_id, "--json")[1])["job"] == public_id
    [listed] = json.loads(command("jobs", "list", "--json")[1])
    assert "collections" not in listed


def test_jobs_cancels_a_waiting_job(run):
    run("--no-wait")
    public_id = Job.objects.get().public_id
    assert command("jobs", "cancel", public_id)[0] == 0
    assert Job.objects.get().status == Status.CANCELED
    code, _, err = command("jobs", "cancel", public_id)
    assert code == 2
    assert "can no longer be canceled" in err


def test_jobs_resume_continues_a_failed_job_with_a_higher_limit(run):
    fields = [
        {"source": "id"},
        {"source": "embedding"},
        {"source": "title", "type": "VARCHAR", "max_length": 6},
    ]
    options = {"max_rejected": 3, "max_skipped": 0.9}
    run("--inline", collections=[{"source": "books", "fields": fields}], options=options)
    job = Job.objects.get()
    assert job.error_code == "too_many_rejected"
    code, _, err = command("jobs", "resume", job.public_id, "--max-rejected", "-1")
    assert code == 2
    assert "max_rejected" in err
    code, out, _ = command("jobs", "resume", job.public_id, "--max-rejected", "none")
    assert (code, "Pending" in out) == (0, True)
    run_inline(job)
    assert (job.status, job.options.max_rejected) == (Status.SUCCESSFUL, None)
    assert job.rejected_rows.count() == 90


def test_jobs_prints_each_rejected_row_on_its_own_line(run):
    fields = [
        {"source": "id"},
        {"source": "embedding"},
        {"source": "title", "type": "VARCHAR", "max_length": 6},
    ]
    run("--inline", collections=[{"source": "books", "fields": fields}])
    public_id = Job.objects.get().public_id
    lines = command("jobs", "rejected", public_id, "--json")[1].splitlines()
    assert len(lines) == 90
    assert json.loads(lines[0])["key"] == "10"
    assert command("jobs", "rejected", public_id)[1].count("title") >= 90


@pytest.mark.parametrize("flags", [(), ("--drop", "--yes", "--json")], ids=["bare", "flags"])
@pytest.mark.parametrize("action", ["give-up", "start-over", "retry", "verify"])
def test_an_action_that_is_not_built_yet_is_refused_by_name(db, action, flags):
    code, _, err = command("jobs", action, *flags, "job-x")
    assert code == 2
    assert f"“jobs {action}” is not available yet." in err


def test_an_unknown_job_is_refused_with_a_sentence(db):
    code, _, err = command("jobs", "show", "job-nowhere")
    assert code == 2
    assert "There is no job" in err
