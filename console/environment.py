"""Environment variables: functions that return a typed value, or raise an error that names the variable.

An empty variable counts as not set, so `NAME=` in an .env file means the default. Messages never contain the
values of secret variables.
"""

import os
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cryptography.fernet import Fernet
from django.core.exceptions import ImproperlyConfigured

FLAGS = {
    "1": True, "true": True, "on": True, "yes": True,
    "0": False, "false": False, "off": False, "no": False,
}  # fmt: skip


def text(name: str, default: str = "") -> str:
    return os.environ.get(name, "").strip() or default


def flag(name: str, *, default: bool) -> bool:
    value = text(name)
    if not value:
        return default
    if value.lower() not in FLAGS:
        raise ImproperlyConfigured(f"{name} must be on or off, but is {value!r}.")
    return FLAGS[value.lower()]


def whole_number(name: str, default: int, *, least: int, most: int) -> int:
    value = text(name, str(default))
    if not value.isdecimal() or not least <= int(value) <= most:
        raise ImproperlyConfigured(f"{name} must be a whole number from {least} to {most}, but is {value!r}.")
    return int(value)


def days(name: str) -> int | None:
    """Return a number of days; None (not set) means forever."""
    return whole_number(name, 1, least=1, most=36_500) if text(name) else None


def choice(name: str, *options: str) -> str:
    """Return one of `options`; upper and lower case do not matter. The first is the default."""
    value = text(name, options[0])
    by_folded = {option.casefold(): option for option in options}
    if value.casefold() not in by_folded:
        raise ImproperlyConfigured(f"{name} must be one of {', '.join(options)}, but is {value!r}.")
    return by_folded[value.casefold()]


def listing(name: str, default: str = "") -> list[str]:
    return [item.strip() for item in text(name, default).split(",") if item.strip()]


def origins(name: str) -> list[str]:
    values = listing(name)
    for origin in values:
        if not origin.startswith(("https://", "http://")):
            raise ImproperlyConfigured(f"{name} must hold origins like https://host, but holds {origin!r}.")
    return values


def time_zone(name: str) -> str:
    value = text(name, "UTC")
    try:
        ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ImproperlyConfigured(
            f"{name} must be a time zone like Europe/Berlin, but is {value!r}."
        ) from error
    return value


def encryption_keys(name: str, value: str) -> tuple[str, ...]:
    """Return the Fernet keys in `value`: separated by commas, newest first."""
    keys = tuple(key.strip() for key in value.split(",") if key.strip())
    if not keys:
        raise ImproperlyConfigured(f"{name} must hold at least one key.")
    for position, key in enumerate(keys, start=1):
        try:
            Fernet(key)
        except ValueError as error:
            raise ImproperlyConfigured(
                f"{name} must hold keys of 32 bytes in URL-safe base64, but key {position} of {len(keys)} "
                "is not one (its value is not shown)."
            ) from error
    return keys
