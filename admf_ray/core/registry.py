"""Registries: names to entries, one registry for each family of parts."""

from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from importlib import import_module
from typing import Generic, Protocol, TypeVar

from admf_ray.errors import ConfigError

__all__ = ["Registry", "unknown_name"]


class _Named(Protocol):
    @property
    def name(self) -> str: ...


Entry = TypeVar("Entry", bound=_Named)


def unknown_name(what: str, name: str, allowed: list[str]) -> str:
    """Word the refusal of a name: what it is, what is allowed, and what was probably meant."""
    close = get_close_matches(name, allowed, n=1)
    hint = f" (did you mean {close[0]}?)" if close else ""
    return f"no {what} is named '{name}'{hint}; allowed: {', '.join(allowed) or 'none'}"


class Registry(Generic[Entry]):
    """The entries of one family, by name; modules that register some are imported when a name is looked for.

    Attributes
    ----------
    family : str
        What an entry is, in the singular; used in messages.

    Parameters
    ----------
    family : str
    modules : sequence of str
        That register entries, those looked for most often first.
    """

    def __init__(self, family: str, modules: Sequence[str] = ()) -> None:
        self.family = family
        self._modules = list(modules)
        self._entries: dict[str, Entry] = {}

    def add(self, entry: Entry) -> Entry:
        """Register an entry; its name must be free.

        Raises
        ------
        ConfigError
            Where another entry has the name.
        """
        if entry.name in self._entries:
            raise ConfigError(f"two entries of family {self.family} are named '{entry.name}'")
        self._entries[entry.name] = entry
        return entry

    def remove(self, entry: Entry) -> None:
        """Take an entry out again."""
        del self._entries[entry.name]

    def __contains__(self, name: object) -> bool:
        """Say whether an entry has the name."""
        while name not in self._entries and self._modules:
            import_module(self._modules.pop(0))
        return name in self._entries

    def __getitem__(self, name: str) -> Entry:
        """Give the entry of that name, or a `ConfigError` that lists the names there are."""
        if name not in self:
            raise ConfigError(unknown_name(self.family, name, self.names()))
        return self._entries[name]

    def __iter__(self) -> Iterator[Entry]:
        """Go through the entries by name."""
        return (self._entries[name] for name in self.names())

    def names(self) -> list[str]:
        """Give all names, sorted."""
        while self._modules:
            import_module(self._modules.pop(0))
        return sorted(self._entries)
