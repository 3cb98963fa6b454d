from django.apps import AppConfig
from django.db.models.signals import post_migrate


class MigrationsAppConfig(AppConfig):
    name = "migrations_app"
    verbose_name = "Vectorferry"

    def ready(self) -> None:
        post_migrate.connect(create_first_administrator, sender=self)


def create_first_administrator(using: str, **_signal: object) -> None:
    """Create the administrator account that the settings name.

    An existing account with that name is left unchanged: its password may have been changed.
    """
    from django.conf import settings
    from django.contrib.auth.models import User

    name, password = settings.VECTORFERRY_ADMIN_USER, settings.VECTORFERRY_ADMIN_PASSWORD
    if name and not User.objects.using(using).filter(username=name).exists():
        User.objects.db_manager(using).create_user(name, password=password, is_staff=True)
