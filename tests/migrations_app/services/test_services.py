"""Services: changes to connections, drafts and jobs."""

import threading

import pytest
from django.contrib.auth.models import User
from django.db import connections
from django_q.models import OrmQ

from migrations_app import endpoints, queue, services
from migrations_app.engine.endpoint import ServerInfo
from migrations_app.engine.errors import AuthRefused, PlanRefused, SettingsError
from migrations_app.execution import lease
from migrations_app.models import Connection, Draft, Job, JobCollection
from migrations_app.models.status import Status
from migrations_app.services.jobs import target_key
from tests.kit import MemoryDatabase, MemorySource, memory_database
from tests.migrations_app.conftest import SOURCE_PASSWORD, TARGET_TOKEN

pytestmark = [pytest.mark.database, pytest.mark.django_db]


def save(world, **changes):
    defaults = {"name": "shop", "kind": "memory", "settings": world.settings["source"], "is_target": False}
    return services.connection_save(**defaults | {"user": None} | changes)


# ---------------------------------------------------------------- connections


def test_a_connection_is_saved_with_the_facts_that_the_list_shows(world):
    saved = save(world, server=ServerInfo("Memory", "1"))
    assert saved.address == world.settings["source"]["store"]
    assert saved.server_info == "Memory 1"
    assert saved.tested_at is not None
    assert not saved.is_target


def test_a_connection_of_a_target_kind_is_a_target(memory_kinds, monkeypatch):
    monkeypatch.delitem(endpoints.TARGETS, "memory")
    saved = services.connection_save(
        name="prod", kind="milvus", settings={"uri": "http://127.0.0.1:19530", "token": "t"}, user=None
    )
    assert saved.is_target


def test_a_secret_left_blank_keeps_its_value(world):
    saved = save(world)
    same = saved.settings | {"password": ""}
    save(world, name="shop 2", settings=same, connection=saved)
    again = Connection.objects.get()
    assert (again.settings["password"], again.name) == (SOURCE_PASSWORD, "shop 2")


def test_a_secret_left_blank_is_not_used_for_another_address(world):
    saved = save(world)
    elsewhere = {"store": "another", "password": ""}
    with pytest.raises(SettingsError, match="not sent there") as caught:
        save(world, settings=elsewhere, connection=saved)
    assert caught.value.field == "password"
    save(world, settings=elsewhere | {"password": SOURCE_PASSWORD}, connection=Connection.objects.get())
    assert Connection.objects.get().settings["store"] == "another"


def test_a_change_of_the_address_forgets_the_last_test(world):
    saved = save(world, server=ServerInfo("Memory", "1"))
    save(world, name="renamed", connection=saved)
    assert saved.server_info == "Memory 1"
    save(world, settings={"store": "another", "password": "new"}, connection=saved)
    again = Connection.objects.get()
    assert (again.tested_at, again.test_error, again.server_info) == (None, "", "")


def test_an_address_in_the_other_form_replaces_the_stored_url(memory_kinds):
    url = {"url": "postgresql://me:secret@db.example/shop"}
    saved = services.connection_save(name="shop", kind="postgresql", settings=url, user=None)
    fields = {"host": "db.example", "database": "shop", "user": "me", "url": "", "password": "other"}
    services.connection_save(name="shop", kind="postgresql", settings=fields, user=None, connection=saved)
    assert not Connection.objects.get().settings["url"]
    again = {"port": 5432, "password": "", "url": ""} | {n: fields[n] for n in ("host", "database", "user")}
    services.connection_save(name="shop", kind="postgresql", settings=again, user=None, connection=saved)
    assert Connection.objects.get().settings["password"] == "other"


def test_a_form_without_a_new_address_keeps_the_stored_url(memory_kinds):
    url = {"url": "postgresql://me:secret@db.example/shop"}
    saved = services.connection_save(name="shop", kind="postgresql", settings=url, user=None)
    blank = {"host": "", "port": 5432, "url": "", "password": ""}
    services.connection_save(name="shop", kind="postgresql", settings=blank, user=None, connection=saved)
    assert Connection.objects.get().settings["url"] == url["url"]


@pytest.mark.parametrize("name", ["", "  ", "x" * 101, "two\nlines"])
def test_a_connection_needs_a_readable_name(world, name):
    with pytest.raises(SettingsError) as refused:
        save(world, name=name)
    assert refused.value.field == "name"
    assert not Connection.objects.exists()


def test_a_second_connection_with_the_same_name_is_refused(world):
    save(world)
    with pytest.raises(SettingsError, match="already") as refused:
        save(world)
    assert refused.value.field == "name"


def test_incomplete_settings_are_refused_on_the_missing_field(world):
    with pytest.raises(SettingsError) as refused:
        save(world, settings={"password": "x"})
    assert refused.value.field == "store"


def test_a_connection_test_stores_its_result(world):
    saved = save(world)
    assert services.connection_test(connection=saved).product == "Memory"
    assert Connection.objects.get().server_info.startswith("Memory 1")
    world.source.password = "changed"
    with pytest.raises(AuthRefused):
        services.connection_test(connection=saved)
    assert Connection.objects.get().test_error == "The store refused the password."


def test_a_job_without_saved_connections_shows_the_addresses(world, monkeypatch):
    monkeypatch.setattr(MemorySource, "hosts", lambda source: ())  # as a source of local files
    monkeypatch.setattr(MemorySource, "address", lambda source: "/data/books")
    job = services.job_create(plan=world.plan(), user=None, secrets=world.settings)
    assert job.description == f"/data/books → {world.settings['target']['store']}"


def test_a_connection_in_use_is_not_deleted(world):
    saved = save(world)
    job = services.job_create(plan=world.plan(), user=None, source_connection=saved, secrets=world.settings)
    with pytest.raises(SettingsError, match=job.public_id):
        services.connection_delete(connection=saved)
    services.job_cancel(job=job, user=None, drop=False)
    services.connection_delete(connection=saved)
    assert Job.objects.get().source_name == "shop"


def test_a_connection_in_use_keeps_its_address_and_may_change_its_password(world):
    saved = save(world)
    job = services.job_create(plan=world.plan(), user=None, source_connection=saved, secrets=world.settings)
    with pytest.raises(SettingsError, match=job.public_id):
        save(world, connection=saved, settings={"store": "elsewhere", "password": "x"})
    saved.refresh_from_db()
    assert saved.settings["store"] != "elsewhere"
    save(world, connection=saved, settings={"store": saved.settings["store"], "password": "new"})
    services.job_cancel(job=job, user=None, drop=False)
    save(world, connection=saved, settings={"store": "elsewhere", "password": "x"})


# ---------------------------------------------------------------- drafts


@pytest.fixture
def draft():
    return services.draft_create(kind="memory", user=None)


def test_saving_a_draft_keeps_the_parts_that_are_not_given(draft):
    services.draft_save(draft=draft, plan={"version": 1}, state={"step": 2})
    services.draft_save(draft=draft, state={"step": 3})
    again = Draft.objects.get()
    assert (again.plan, again.state) == ({"version": 1}, {"step": 3})


def test_a_draft_that_became_a_job_is_not_changed_and_not_discarded(world, draft):
    services.job_create(plan=world.plan(), user=None, secrets=world.settings, draft=draft)
    with pytest.raises(SettingsError) as refused:
        services.draft_save(draft=draft, state={"step": 1})
    assert refused.value.code == "draft_started"
    services.draft_discard(draft=draft)
    assert Draft.objects.exists()


def test_saving_a_draft_that_was_discarded_elsewhere_is_refused(draft):
    services.draft_discard(draft=draft)
    with pytest.raises(SettingsError, match="no longer exists"):
        services.draft_save(draft=draft, state={})


# ---------------------------------------------------------------- jobs


def test_a_new_job_is_pending_and_wakes_one_worker(world):
    job = world.job()
    assert job.status == Status.PENDING
    assert queue.waiting() == {(queue.Task.PREPARE, job.pk): 1}
    assert JobCollection.objects.get().source == "books"


def test_the_queue_the_plan_and_the_log_contain_no_secret(world):
    job = world.job()
    services.job_cancel(job=job, user=None, drop=False)
    stored_texts = [row.payload for row in OrmQ.objects.all()] + [str(job.plan)]
    stored_texts += [row.message + row.details for row in job.log.all()]
    for secret in (SOURCE_PASSWORD, TARGET_TOKEN):
        assert not any(secret in text for text in stored_texts)
    assert all(row.args() == (job.pk,) for row in OrmQ.objects.all())


def test_a_draft_that_is_started_twice_makes_one_job(world, draft):
    same = Draft.objects.get()
    first = services.job_create(plan=world.plan(), user=None, secrets=world.settings, draft=draft)
    second = services.job_create(plan=world.plan(), user=None, secrets=world.settings, draft=same)
    assert first == second
    assert Job.objects.count() == JobCollection.objects.count() == OrmQ.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_two_clicks_at_the_same_moment_make_one_job(world):
    draft = services.draft_create(kind="memory", user=None)
    job_ids, barrier = [], threading.Barrier(2)

    def click():
        barrier.wait()
        plan = world.plan()
        job_ids.append(services.job_create(plan=plan, user=None, secrets=world.settings, draft=draft).pk)
        connections.close_all()

    clicks = [threading.Thread(target=click) for _ in range(2)]
    for thread in clicks:
        thread.start()
    for thread in clicks:
        thread.join()
    assert len(job_ids) == 2
    assert len(set(job_ids)) == Job.objects.count() == 1


def test_a_job_with_too_many_collections_is_refused(world, settings):
    settings.VECTORFERRY_MAX_COLLECTIONS = 1
    with pytest.raises(PlanRefused) as refused:
        world.job({"source": "books"}, {"source": "more"})
    assert refused.value.code == "too_many_collections"
    assert not Job.objects.exists()


def test_public_ids_have_the_format_of_zilliz_cloud(world):
    ids = {world.job().public_id for _ in range(5)}
    assert len(ids) == 5
    assert all(len(i) == 26 and i.startswith("job-") and i[4:].isalnum() and i.isascii() for i in ids)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("http://localhost:19530", "http://127.0.0.1:19530/"),
        ("http://Host.example:19530", "https://host.example:19530"),
    ],
)
def test_two_spellings_of_one_target_address_have_the_same_key(one, other):
    targets = [endpoints.open_target("milvus", {"uri": uri}) for uri in (one, other)]
    assert target_key(targets[0]) == target_key(targets[1])
    assert target_key(targets[0]) != target_key(endpoints.open_target("milvus", {"uri": "http://h:1"}))


# ---------------------------------------------------------------- cancel


def test_a_pending_job_is_canceled_at_once(world):
    job = world.job()
    ada = User.objects.create(username="ada")
    services.job_cancel(job=job, user=ada, drop=True)
    assert job.status == Status.CANCELED
    assert job.ended_at is not None
    assert "by ada" in job.log.get().message


def test_a_running_job_without_a_lease_is_canceled_at_once(world):
    job = world.job()
    assert services.job_start(job=job)
    services.job_cancel(job=job, user=None, drop=False)
    assert Job.objects.get().status == Status.CANCELED


def test_a_job_with_a_lease_is_canceling_until_the_lease_is_released(world):
    job = world.job()
    services.job_start(job=job)
    lease.take(job, lease.terms())
    services.job_cancel(job=Job.objects.get(), user=None, drop=False)
    assert Job.objects.get().status == Status.CANCELING
    assert not services.job_settle(job=job)
    lease.release(job)
    assert services.job_settle(job=job)
    assert Job.objects.get().status == Status.CANCELED


def test_an_ended_job_cannot_be_canceled(world):
    job = world.job()
    services.job_cancel(job=job, user=None, drop=False)
    with pytest.raises(SettingsError, match="Canceled and can no longer be canceled"):
        services.job_cancel(job=job, user=None, drop=False)


def test_no_more_jobs_run_at_once_than_the_setting_allows(world, settings):
    settings.VECTORFERRY_JOBS_AT_ONCE = 2
    jobs = [world.job() for _ in range(3)]
    assert [services.job_start(job=job) for job in jobs] == [True, True, False]
    OrmQ.objects.all().delete()
    services.job_cancel(job=jobs[0], user=None, drop=False)
    assert queue.waiting() == {(queue.Task.PREPARE, jobs[2].pk): 1}
    assert services.job_start(job=jobs[2])


# ---------------------------------------------------------------- actions on a finished job


def test_actions_need_a_successful_job(world):
    job = world.job()
    for action in (services.job_index, services.job_load, services.job_release):
        with pytest.raises(SettingsError, match="needs a Successful job"):
            action(job=job, user=None)


def test_an_action_can_be_requested_for_all_collections_or_for_one(world):
    job = world.job({"source": "books", "target": "a"}, {"source": "books", "target": "b"})
    Job.objects.update(status=Status.SUCCESSFUL)
    services.job_load(job=job, user=None, collection="b")
    services.job_index(job=job, user=None)
    services.job_release(job=job, user=None, collection="b")
    requested = job.steps.order_by("collection__position", "kind")
    assert list(requested.values_list("collection__target", "kind", "state")) == [
        ("a", "index", "waiting"),
        ("b", "index", "waiting"),
        ("b", "release", "waiting"),
    ]
    with pytest.raises(SettingsError, match="no collection"):
        services.job_release(job=job, user=None, collection="c")


def test_an_action_is_refused_if_the_connection_points_to_another_server(world):
    prod = save(world, name="prod", settings=world.settings["target"], is_target=True)
    job = services.job_create(plan=world.plan(), user=None, target_connection=prod, secrets=world.settings)
    Job.objects.update(status=Status.SUCCESSFUL)
    with memory_database(MemoryDatabase()) as elsewhere:
        plain = endpoints.plain(elsewhere)
        save(world, connection=prod, name="prod", settings=plain, is_target=True, forget=("token",))
        job = Job.objects.get()
        with pytest.raises(SettingsError, match="no longer points to the server"):
            services.job_load(job=job, user=None)
    assert not job.steps.exists()
