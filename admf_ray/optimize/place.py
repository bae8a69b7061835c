"""The place where studies are stored, as an option: named, checked and shown without what is secret in it."""

import re
from pathlib import Path

from admf_ray.errors import ConfigError

__all__ = ["HIDDEN", "JOURNAL", "checked_place", "shown_place"]

JOURNAL = "journal"
"""A file of the run directory."""

HIDDEN = "***"
"""Stands for a password."""

_SQLITE = re.compile(r"(sqlite(?:\+\w+)?:///)([^/?:][^?]*)(.*)")
_PASSWORDS = (
    re.compile(r"(?<=://)([^:/@]*:)[^@]*(?=@)"),
    re.compile(r"([?&](?:password|passwd|sslpassword)=)[^&]*"),
)


def shown_place(place: str) -> str:
    """Give a place as it may be shown and kept.

    Examples
    --------
    >>> shown_place("postgresql+psycopg2://ann:secret@db/studies")
    'postgresql+psycopg2://ann:***@db/studies'
    """
    for password in _PASSWORDS:
        place = password.sub(rf"\1{HIDDEN}", place)
    return place


def checked_place(place: str) -> str | None:
    """Give a place; files of SQLite by their absolute paths, None for none.

    Raises
    ------
    ConfigError
        Where it is neither the journal nor a URL.
    """
    if place == "none":
        return None
    if place != JOURNAL and "://" not in place:
        raise ConfigError(
            f"search.storage: '{shown_place(place)}' is no place; allowed: journal, null, or the URL of a database "
            "such as sqlite:///studies.db or postgresql+psycopg2://user@host/name"
        )
    if file := _SQLITE.fullmatch(place):
        return f"{file[1]}{Path(file[2]).absolute()}{file[3]}"
    return place
