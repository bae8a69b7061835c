"""Checks of what barriers are given, and the words for what they say."""

from collections.abc import Sequence

from admf_ray.errors import ConfigError

__all__ = ["BEFORE_ALL", "NAMED", "RECORDED", "listed", "require_at_least", "require_names"]


RECORDED = 100
"""Of the things that barriers write down the newest so many are kept."""

NAMED = 10
"""So many names are said, of more the number."""

BEFORE_ALL = -(2**63)
"""Before every timestamp and every bar."""


def require_names(argument: str, names: Sequence[str]) -> tuple[str, ...]:
    """Give names as a tuple, or refuse what is no list of names."""
    is_list = not isinstance(names, str) and len(names) > 0 and all(isinstance(name, str) for name in names)
    if not is_list or len(set(names)) < len(names):
        raise ConfigError(f"{argument}: {names!r} is not allowed; allowed: a list of one name or several, each once")
    return tuple(names)


def require_at_least(argument: str, value: int, least: int) -> int:
    """Give a whole number, or refuse what is none or too small."""
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise ConfigError(f"{argument}: {value!r} is not allowed; allowed: a whole number of at least {least}")
    return value


def listed(names: Sequence[str], number: int) -> str:
    """Say the first names, and how many more there are."""
    more = f" and {number - NAMED} more" if number > NAMED else ""
    return ", ".join(names[:NAMED]) + more
