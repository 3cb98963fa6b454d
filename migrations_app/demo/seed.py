"""What a person finds in the demo: accounts, two connections, and a migration that has been done."""

import json
from pathlib import Path
from secrets import token_urlsafe

from django.contrib.auth.models import User

from migrations_app import services
from migrations_app.demo.stack import DATABASE, Stack
from migrations_app.engine.model.plan import Plan
from migrations_app.models import Connection, Job
from migrations_app.models.status import ENDED, Status

SOURCE, TARGET = "demo-postgres", "demo-milvus"
SAMPLE, LEFT_TO_MIGRATE, LARGER = "public.examples", "public.docs", "public.lines"
DESCRIPTION = "Sample: examples from docstrings"
ADMINISTRATOR, VIEWER = "admin", "viewer"


def make_accounts(known: Path) -> dict[str, str]:
    """Makes an administrator and a viewer; the file `known` (mode 0600) keeps their passwords by name."""
    if not known.exists():
        known.touch(mode=0o600)
        known.write_text(json.dumps({name: token_urlsafe(9) for name in (ADMINISTRATOR, VIEWER)}))
    passwords: dict[str, str] = json.loads(known.read_text())
    for name, password in passwords.items():
        if not User.objects.filter(username=name).exists():
            User.objects.create_user(name, password=password, is_staff=name == ADMINISTRATOR)
    return passwords


def save_connections(stack: Stack) -> None:
    """Saves both ends, or tells the saved ones on which port the engines are this time."""
    postgres = {
        "host": "127.0.0.1",
        "port": stack.postgres.port,
        "database": DATABASE,
        "user": stack.postgres.user,
        "password": stack.postgres.password,
        "sslmode": "disable",
    }
    _save(SOURCE, "postgresql", postgres)
    _save(TARGET, "milvus", {"uri": stack.milvus.uri})


def _save(name: str, kind: str, settings: dict[str, object]) -> None:
    saved = services.connection_save(
        name=name,
        kind=kind,
        settings=settings,
        user=User.objects.get(username=ADMINISTRATOR),
        connection=Connection.objects.filter(name=name).first(),
    )
    services.connection_test(connection=saved)


def sample_job() -> Job:
    """The sample that is done or on its way, else a new one."""
    jobs = Job.objects.filter(description=DESCRIPTION)
    under_way = jobs.exclude(status__in=ENDED)
    return (jobs.filter(status=Status.SUCCESSFUL) | under_way).first() or _create(earlier=jobs.count())


def _create(*, earlier: int) -> Job:
    """A sample job. What ``earlier`` ones left behind stays: a new one takes a name of its own."""
    target = SAMPLE.rpartition(".")[2]
    plan = {
        "version": 1,
        "source": {"connection": SOURCE},
        "target": {"connection": TARGET},
        "options": {"create_index": True, "load": True},
        "collections": [{"source": SAMPLE, "target": f"{target}_{earlier + 1}" if earlier else target}],
    }
    return services.job_create(
        plan=Plan.model_validate(plan),
        user=User.objects.get(username=ADMINISTRATOR),
        source_connection=Connection.objects.get(name=SOURCE),
        target_connection=Connection.objects.get(name=TARGET),
        description=DESCRIPTION,
    )
