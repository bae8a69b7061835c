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
from typing import Any

from admf_ray.errors import ConfigError, first_line

__all__ = ["ENTRY_POINTS", "Plugin", "find_plugins", "imported_versions", "plugin_file"]

ENTRY_POINTS = "admf_ray.plugins"
"""Group of the entry points by which installed packages offer plugins."""

_INSTALLED = {"site-packages", "dist-packages"}


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
            source = path.read_text(encoding="utf-8")
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


def imported_versions(plugin: Plugin) -> dict[str, str]:
    """Give the versions of what a plugin imports beside Python and the platform; refuse what would not travel.

    Code of other files is inlined into its kernels without numba noticing their edits: installed packages have a
    version that tells, files beside the plugin have not.
    """
    try:
        tree = ast.parse(plugin.source)
    except SyntaxError as error:
        raise ConfigError(f"plugins: {plugin.origin}:{error.lineno}: {error.msg}") from None
    versions = {}
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                roots = [alias.name.partition(".")[0] for alias in names]
            case ast.ImportFrom(level=0, module=str() as module):
                roots = [module.partition(".")[0]]
            case ast.ImportFrom(lineno=line):
                raise ConfigError(
                    f"plugins: {plugin.origin}:{line}: a relative import; allowed: a plugin is one file that imports "
                    "installed packages"
                )
            case _:
                continue
        for root in roots:
            if root not in sys.stdlib_module_names and root != "admf_ray" and (spec := _spec(root)) is not None:
                if spec.origin is not None and not _INSTALLED & set(Path(spec.origin).parts):
                    raise ConfigError(
                        f"plugins: {plugin.origin}:{node.lineno}: imports '{root}' from {spec.origin}, which workers "
                        "do not have; allowed: a plugin is one file that imports installed packages"
                    )
                versions[root] = _version(root)
    return versions


def _spec(root: str) -> Any:
    try:
        return importlib.util.find_spec(root)
    except ValueError:
        return None


def _version(root: str) -> str:
    try:
        return importlib.metadata.version(root)
    except importlib.metadata.PackageNotFoundError:
        packages = importlib.metadata.packages_distributions().get(root, [])
        return ",".join(importlib.metadata.version(package) for package in packages)
