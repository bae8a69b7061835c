"""Where the source of a plugin is found, and what it may import."""

import ast
import hashlib
import importlib.metadata
import importlib.util
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from admf_ray.errors import ConfigError, first_line

__all__ = ["ENTRY_POINTS", "Plugin", "check_imports", "find_plugins", "plugin_file"]

ENTRY_POINTS = "admf_ray.plugins"
"""Group of the entry points by which installed packages offer plugins."""

_INSTALLED = {"site-packages", "dist-packages"}
_ONE_FILE = "allowed: a plugin is one file that imports installed packages"


@dataclass(frozen=True, slots=True)
class Plugin:
    """One source file.

    Attributes
    ----------
    name : str
        Of the file, without ``.py``.
    origin : str
        Where it was found: a path.
    source : str
    """

    name: str
    origin: str
    source: str

    @property
    def sha256(self) -> str:
        """Hash of the source."""
        return hashlib.sha256(self.source.encode()).hexdigest()


def find_plugins(names: Sequence[str]) -> tuple[Plugin, ...]:
    """Read the source files of plugins.

    Parameters
    ----------
    names : sequence of str
        Paths of ``.py`` files, names of entry points of the group ``admf_ray.plugins``, or names of modules.

    Raises
    ------
    ConfigError
        Names the plugin that cannot be found or read, or that two share a name.
    """
    found: list[Plugin] = []
    for name in names:
        path = _locate(name)
        try:
            source = path.read_text(encoding="utf-8-sig")
        except (OSError, ValueError) as error:
            raise ConfigError(f"plugins: '{path}' cannot be read: {first_line(error)}") from None
        if twins := [other.origin for other in found if other.name == path.stem]:
            raise ConfigError(f"plugins: '{twins[0]}' and '{path}' have one name; allowed: files of different names")
        found.append(Plugin(path.stem, str(path), source))
    return tuple(found)


def plugin_file(name: str) -> Path | None:
    """Give the absolute path of a plugin that is named by its file; None where it is a module or an entry point."""
    return Path(name).expanduser().absolute() if name.endswith(".py") or os.sep in name else None


def _locate(name: str) -> Path:
    if path := plugin_file(name):
        return path
    points = importlib.metadata.entry_points(group=ENTRY_POINTS, name=name)
    module = next((point.module for point in points), name)
    try:
        spec = importlib.util.find_spec(module)
    except (ImportError, ValueError) as error:
        raise ConfigError(f"plugins: module '{module}' cannot be found: {first_line(error)}") from None
    if spec is None or spec.origin is None:
        offered = sorted(point.name for point in importlib.metadata.entry_points(group=ENTRY_POINTS))
        raise ConfigError(
            f"plugins: '{name}' is no file, module or entry point; allowed: a path that ends in .py, a module, or an "
            f"entry point of the group {ENTRY_POINTS}: {', '.join(offered) or 'there is none'}"
        )
    return Path(spec.origin)


def check_imports(plugin: Plugin) -> None:
    """Refuse imports that would not travel: what workers have is Python, the platform and installed packages.

    Raises
    ------
    ConfigError
        With the line.
    """
    try:
        tree = ast.parse(plugin.source)
    except (SyntaxError, ValueError) as error:
        raise ConfigError(
            f"plugins: {plugin.origin}:{getattr(error, 'lineno', None) or 1}: {first_line(error)}"
        ) from None
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                roots = [alias.name.partition(".")[0] for alias in names]
            case ast.ImportFrom(level=0, module=str() as module):
                roots = [module.partition(".")[0]]
            case ast.ImportFrom(lineno=line):
                raise ConfigError(f"plugins: {plugin.origin}:{line}: a relative import; {_ONE_FILE}")
            case _:
                continue
        for root in roots:
            for place in _strange_places(root):
                raise ConfigError(
                    f"plugins: {plugin.origin}:{node.lineno}: imports '{root}' from {place}, which workers do not "
                    f"have; {_ONE_FILE}"
                )


def _strange_places(root: str) -> list[str]:
    """Give where a module is found, if that is neither Python's own place nor one of installed packages."""
    if root in sys.stdlib_module_names or root == "admf_ray":
        return []
    try:
        spec = importlib.util.find_spec(root)
    except ValueError:
        return []
    if spec is None:
        return []
    # A folder without __init__.py has places to search instead of an origin.
    places = [spec.origin] if spec.has_location else list(spec.submodule_search_locations or ())
    return [place for place in places if place and not _INSTALLED & set(Path(place).parts)]
