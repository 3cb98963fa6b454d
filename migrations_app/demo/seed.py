"""Demo seed: creates the accounts, three connections and a finished migration."""

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
QDRANT = "demo-qdrant"
SAMPLE, LEFT_TO_MIGRATE, LARGER = "public.examples", "public.docs", "public.lines"
DESCRIPTION = "Sample: examples from docstrings"
ADMINISTRATOR, VIEWER = "admin", "viewer"


def make_accounts(file: Path) -> dict[str, str]:
    """Create an administrator and a viewer. `file` (mode 0600) stores their passwords by name."""
    if not file.exists():
        file.touch(mode=0o600)
        file.write_text(json.dumps({name: token_urlsafe(9) for name in (ADMINISTRATOR, VIEWER)}))
    passwords: dict[str, str] = json.loads(file.read_text())
    for name, password in passwords.items():
        if not User.objects.filter(username=name).exists():
            User.objects.create_user(name, password=password, is_staff=name == ADMINISTRATOR)
    return passwords


def save_connections(stack: Stack) -> None:
    """Save the connections of the sources and the target, or update them with the current ports of the
    engines."""
    postgres = {
        "host": "127.0.0.1",
        "port": stack.postgres.port,
        "database": DATABASE,
        "user": stack.postgres.user,
        "password": stack.postgres.password,
        "sslmode": "disable",
    }
    _save(SOURCE, "postgresql", postgres)
    _save(QDRANT, "qdrant", {"url": stack.qdrant.url, "grpc_port": stack.qdrant.grpc_port})
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
    """Return the sample job that is Successful or has not ended, else a new one."""
    jobs = Job.objects.filter(description=DESCRIPTION)
    unfinished = jobs.exclude(status__in=ENDED)
    return (jobs.filter(status=Status.SUCCESSFUL) | unfinished).first() or _create(earlier=jobs.count())


def _create(*, earlier: int) -> Job:
    """Create a sample job. Collections of ``earlier`` sample jobs stay, so a new job uses a new name."""
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
