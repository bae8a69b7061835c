"""Making the entries of plugins known by name, in the driver and on every worker."""

import contextlib
import importlib.util
import inspect
import os
import re
import sys
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from admf_ray.containers import ComponentKind
from admf_ray.core.registry import Registry
from admf_ray.errors import AdmfError, ConfigError, first_line
from admf_ray.fingerprint import cache_directory
from admf_ray.indicators import Key, plan_keys
from admf_ray.plugins.decorators import collecting
from admf_ray.plugins.source import Plugin, check_imports
from admf_ray.strategies import Strategy

__all__ = ["activate", "active_entries", "active_plugins"]

_NUMBA_NOISE = re.compile(r"^(Failed in nopython mode pipeline|During:|File \"|Hint:|\x1b|$)")

Registered = tuple[Registry[Any], Any, str]
"""A registry, an entry of it, and the file and line that it is from."""


@dataclass(frozen=True, slots=True)
class _Active:
    """Plugins whose entries are registered now."""

    plugins: tuple[Plugin, ...] = ()
    entries: tuple[Registered, ...] = ()


_active = _Active()
_loaded: dict[Plugin, tuple[Registered, ...]] = {}


def active_plugins() -> tuple[Plugin, ...]:
    """Give the plugins whose entries are registered now."""
    return _active.plugins


def active_entries() -> list[Any]:
    """Give what they registered: strategies, indicators, sizings, components."""
    return [entry for _, entry, _ in _active.entries]


def activate(plugins: Sequence[Plugin]) -> None:
    """Make the entries of these plugins, and of no others, known by name.

    Each source is imported once in a process, whatever runs it serves; an edited one is another source.

    Raises
    ------
    ConfigError
        Names file and line of what is wrong in a plugin; then none is active.
    """
    global _active  # noqa: PLW0603  (the registries are global as well)
    if tuple(plugins) == _active.plugins:
        return
    for registry, entry, _ in _active.entries:
        registry.remove(entry)
    _active = _Active()
    entries: list[Registered] = []
    try:
        for plugin in plugins:
            if plugin not in _loaded:
                _loaded[plugin] = _load(plugin)
            for registry, entry, where in _loaded[plugin]:
                if entry.name in registry:
                    taken = [there for _, other, there in entries if other is registry[entry.name]]
                    holder = taken[0] if taken else "admf_ray itself"
                    raise ConfigError(
                        f"plugins: two entries of family {registry.family} are named '{entry.name}': "
                        f"{where} and {holder}; allowed: a name that is free"
                    )
                registry.add(entry)
                entries.append((registry, entry, where))
        for _, entry, where in entries:
            if isinstance(entry, Strategy):
                _check_inputs(entry, where)
    except BaseException:
        for registry, entry, _ in entries:
            registry.remove(entry)
        raise
    _active = _Active(tuple(plugins), tuple(entries))


def _check_inputs(strategy: Strategy, where: str) -> None:
    """Refuse inputs that the hub could not compute; a plugin that brings an indicator may stand after the strategy."""
    defaults = {parameter.name: f"{parameter.default:.17g}" for parameter in strategy.parameters}
    try:
        plan_keys(("X",), [Key.parse(text.format(**defaults)).bind("X") for text in strategy.inputs])
    except ConfigError as error:
        raise ConfigError(f"plugins: {where}: inputs of '{strategy.name}': {error}") from None


def _load(plugin: Plugin) -> tuple[Registered, ...]:
    """Import a plugin; give what it offers, with file and line."""
    check_imports(plugin)
    key = plugin.sha256[:16]
    path = cache_directory() / "plugins" / key / f"{plugin.name}.py"
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(f".{plugin.name}.{os.getpid()}")
        partial.write_text(plugin.source, encoding="utf-8")
        partial.replace(path)
    try:
        # What a plugin prints is no result.
        with collecting() as offers, contextlib.redirect_stdout(sys.stderr):
            _import(path, f"admf_ray_plugin_{key}_{plugin.name}")
    except (Exception, SystemExit) as error:
        raise ConfigError(f"plugins: {plugin.origin}:{_line(error, path)}: {_reason(error)}") from None
    if not offers:
        raise ConfigError(
            f"plugins: {plugin.origin} registers nothing; allowed: what is decorated with strategy, indicator, "
            "sizing or component of admf_ray.plugins"
        )
    return tuple((registry, entry, f"{plugin.origin}:{_declared_at(entry)}") for registry, entry in offers)


def _declared_at(entry: Any) -> int:
    """Give the line at which the code of an entry begins, decorators included."""
    code: Any
    if isinstance(entry, ComponentKind):
        code = entry.factory
    elif isinstance(entry, Strategy) and entry.is_python:
        code = entry.python
    else:
        code = entry.kernel.py_func
    return inspect.getsourcelines(code)[1]


def _import(path: Path, name: str) -> None:
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise


def _line(error: BaseException, path: Path) -> int:
    """Give the line of a plugin at which it failed: of its kernel's code where a kernel does not compile."""
    place = getattr(error, "loc", None)
    if place is not None and place.filename == str(path):
        return int(place.line)
    told = re.findall(rf'File "[^"]*{re.escape(path.name)}", line (\d+)', str(error))
    if told:
        return int(told[-1])
    frames = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)]
    return frames[-1] or 1 if frames else 1


def _reason(error: BaseException) -> str:
    if isinstance(error, AdmfError):
        return first_line(error)
    kind = type(error).__module__.partition(".")[0]
    if kind == "numba":
        said = [line.strip() for line in str(error).splitlines() if not _NUMBA_NOISE.match(line.strip())]
        return f"the kernel does not compile: {' '.join(said[:2]) or first_line(error)}"
    return f"{type(error).__name__}: {first_line(error)}"
