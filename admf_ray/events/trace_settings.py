"""What is traced of which container: levels, presets, patterns of ids, and rules that change it as it runs."""

import re
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field, fields, replace
from fnmatch import fnmatchcase
from typing import Any

from admf_ray.core.expressions import Expression
from admf_ray.core.registry import unknown_name
from admf_ray.errors import ConfigError
from admf_ray.events.payloads import EventType
from admf_ray.events.retention import Retention
from admf_ray.events.storage import FORMATS

__all__ = ["LEVELS", "PRESETS", "TraceRule", "TraceSettings", "TracingConfig"]

_ALL = frozenset(EventType)
_BACKENDS = ("memory", "disk")
_FIXED = ("rules", "file_format", "max_file_size_mb")


@dataclass(frozen=True, slots=True)
class TraceRule:
    """Other options that count while a condition holds, as of when it was last looked at.

    It is looked at when a trade, a window or a phase ends, and every 1,000 events.

    Attributes
    ----------
    when : Expression
        Over ``metrics.<name>`` and ``events.<TYPE>`` (how many there were).
    options : mapping
        Of `TraceSettings`, but for rules, format and size of files.
    where : str
        Path of the options, for messages.
    """

    when: Expression
    options: Mapping[str, Any]
    where: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceSettings:
    """What is traced of one container.

    Attributes
    ----------
    events_to_trace : frozenset of EventType
        Others are counted only.
    retention : Retention
    max_events : int or None
        Kept in memory at most; None for the bound of the retention (`admf_ray.events.retention.BOUNDS`).
    store_equity_curve : bool
        Whether times and equities of PORTFOLIO events are kept, whatever the retention: 16 bytes each.
    storage_backend : {"memory", "disk"}
        Whether what leaves memory complete (and what is left at the end) goes to files.
    file_format : {"jsonl", "parquet"}
    max_file_size_mb : float
        After which a trace goes on in another file.
    flush_trades : int
        Trades that may be closed before they are written.
    latencies : bool
        Whether handlers are timed.
    rules : tuple of TraceRule
        The first one whose condition holds counts; own rules come before those of all containers.

    Raises
    ------
    ConfigError
        Names the option, what it is, and what is allowed.
    """

    events_to_trace: frozenset[EventType] = _ALL
    retention: Retention = Retention.FULL
    max_events: int | None = None
    store_equity_curve: bool = False
    storage_backend: str = "memory"
    file_format: str = "jsonl"
    max_file_size_mb: float = 64.0
    flush_trades: int = 100
    latencies: bool = False
    rules: tuple[TraceRule, ...] = ()

    def __post_init__(self) -> None:
        """Check every option."""
        for name, check in _CHECKS.items():
            object.__setattr__(self, name, check(getattr(self, name), name))
        if self.retention is Retention.TRADE_COMPLETE and EventType.POSITION_CLOSE not in self.events_to_trace:
            raise ConfigError("events_to_trace: retention=trade_complete needs POSITION_CLOSE, which ends a trade")

    def changed(self, options: Mapping[str, Any], where: str) -> "TraceSettings":
        """Give settings with options changed.

        Parameters
        ----------
        options : mapping
            By the names of the attributes. ``events_to_trace`` takes ``"all"`` or patterns of types like
            ``POSITION_*``, ``rules`` conditions with the options that then count. A new retention has its own bound.
        where : str
            Path of the options, for messages.

        Raises
        ------
        ConfigError
            Names the option, what it is, and what is allowed.
        """
        _require_options(options, where)
        known = [one.name for one in fields(self)]
        for name in options:
            if name not in known:
                raise ConfigError(f"{where}.{name}: {unknown_name('option', str(name), known)}")
        changes = {name: _CHECKS[name](value, f"{where}.{name}") for name, value in options.items() if name != "rules"}
        if "retention" in changes:
            # A bound belongs to the retention that it was given with.
            changes.setdefault("max_events", None)
        try:
            found = replace(self, **changes)
        except ConfigError as error:
            raise ConfigError(f"{where}.{error}") from None
        rules = options.get("rules", {})
        _require_options(rules, f"{where}.rules")
        own = [_rule(when, then, f"{where}.rules") for when, then in rules.items()]
        found = replace(found, rules=(*own, *self.rules))
        for rule in own:
            found.under(rule)
        return found

    def under(self, rule: TraceRule) -> "TraceSettings":
        """Give the settings that count while the condition of a rule holds."""
        return replace(self, rules=()).changed(rule.options, rule.where)


def _rule(when: Any, then: Any, where: str) -> TraceRule:
    below = f"{where}.'{when}'"
    _require_options(then, below)
    for name in _FIXED:
        if name in then:
            raise ConfigError(f"{below}.{name}: a rule cannot change it; allowed: all other options")
    return TraceRule(Expression.parse(str(when), where), then, below)


def _require_options(options: Any, where: str) -> None:
    if not isinstance(options, Mapping):
        raise ConfigError(f"{where}: {options!r} is not allowed; allowed: options below it")


def _types(value: Any, where: str) -> frozenset[EventType]:
    if isinstance(value, str) and value == "all":
        return _ALL
    if not isinstance(value, Sequence | Set) or isinstance(value, str):
        raise ConfigError(f"{where}: {value!r} is not allowed; allowed: all, or a list of types")
    found: set[EventType] = set()
    for pattern in value:
        matching = {kind for kind in EventType if fnmatchcase(kind, str(pattern))}
        if not matching:
            raise ConfigError(f"{where}: {unknown_name('type of event', str(pattern), list(EventType))}")
        found |= matching
    return frozenset(found)


def _one_of(allowed: Sequence[str]) -> Any:
    def check(value: Any, where: str) -> str:
        if not isinstance(value, str) or value not in allowed:
            raise ConfigError(f"{where}: {value!r} is not allowed; allowed: {', '.join(allowed)}")
        return str(value)

    return check


def _flag(value: Any, where: str) -> bool:
    if not isinstance(value, bool):
        raise ConfigError(f"{where}: {value!r} is not allowed; allowed: true, false")
    return value


def _count(value: Any, where: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ConfigError(f"{where}: {value!r} is not allowed; allowed: a whole number above 0")
    return value


def _size(value: Any, where: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < float("inf"):
        raise ConfigError(f"{where}: {value!r} is not allowed; allowed: a number above 0")
    return float(value)


_CHECKS: dict[str, Any] = {
    "events_to_trace": _types,
    "retention": lambda value, where: Retention(_one_of(list(Retention))(value, where)),
    "max_events": lambda value, where: value if value is None else _count(value, where),
    "store_equity_curve": _flag,
    "storage_backend": _one_of(_BACKENDS),
    "file_format": _one_of(list(FORMATS)),
    "max_file_size_mb": _size,
    "flush_trades": _count,
    "latencies": _flag,
}

# What stands for one character of many.
_CLASSES = re.compile(r"\[[^]]*\]")
_QUIET = _ALL - {EventType.BAR, EventType.INDICATOR}

LEVELS: dict[str, TraceSettings] = {
    "none": TraceSettings(retention=Retention.NONE),
    "minimal": TraceSettings(retention=Retention.MINIMAL),
    "metrics": TraceSettings(retention=Retention.MINIMAL, store_equity_curve=True, latencies=True),
    "normal": TraceSettings(
        retention=Retention.SLIDING_WINDOW, events_to_trace=_QUIET, store_equity_curve=True, latencies=True
    ),
    "debug": TraceSettings(retention=Retention.FULL, store_equity_curve=True, latencies=True),
}
"""Settings by name, from nothing to everything."""

PRESETS: dict[str, dict[str, Any]] = {
    "development": {"level": "debug"},
    "optimization": {
        "level": "minimal",
        "containers": {"best_*": {"level": "metrics", "retention": "trade_complete", "storage_backend": "disk"}},
    },
    "production": {
        "level": "normal",
        "retention": "trade_complete",
        "storage_backend": "disk",
        "flush_trades": 1,
    },
}
"""Whole configurations by name: everything; next to nothing but for the best; every closed trade on disk."""


@dataclass(frozen=True, slots=True)
class TracingConfig:
    """What is traced of containers whose ids match patterns; the most specific pattern counts, alone.

    The most specific one is the id itself, or has the most characters that are no wildcards; of equals, the later one.

    Attributes
    ----------
    default : TraceSettings
        Of containers that match none.
    containers : mapping of str to TraceSettings
        By pattern with ``*``, ``?`` and ``[...]``.

    Examples
    --------
    >>> from admf_ray.events import TracingConfig
    >>> config = TracingConfig.parse(
    ...     {"level": "none", "containers": {"best_*": {"level": "debug"}, "best_1?": {"level": "minimal"}}}
    ... )
    >>> [config.settings_for(name).retention.value for name in ("a", "best_2", "best_12")]
    ['none', 'full', 'minimal']
    """

    default: TraceSettings = LEVELS["none"]
    containers: Mapping[str, TraceSettings] = field(default_factory=dict)

    @classmethod
    def parse(cls, options: Mapping[str, Any], where: str = "tracing") -> "TracingConfig":
        """Read plain options: ``preset`` or ``level``, options of `TraceSettings`, and the same below ``containers``.

        Raises
        ------
        ConfigError
            Names the option, what it is, and what is allowed.
        """
        _require_options(options, where)
        given = dict(options)
        patterns = given.pop("containers", {})
        _require_options(patterns, f"{where}.containers")
        preset = given.pop("preset", None)
        if preset is not None:
            whole = PRESETS[_one_of(list(PRESETS))(preset, f"{where}.preset")]
            patterns = {**whole.get("containers", {}), **patterns}
            given = {**{name: value for name, value in whole.items() if name != "containers"}, **given}
        default = _leveled(given, LEVELS["none"], where)
        return cls(
            default,
            {
                str(pattern): _leveled(below, default, f"{where}.containers.{pattern}")
                for pattern, below in patterns.items()
            },
        )

    def settings_for(self, container_id: str) -> TraceSettings:
        """Give what counts for a container."""
        if container_id in self.containers:
            return self.containers[container_id]
        found, most = self.default, -1
        for pattern, settings in self.containers.items():
            specific = sum(character not in "*?" for character in _CLASSES.sub("", pattern))
            if fnmatchcase(container_id, pattern) and specific >= most:
                found, most = settings, specific
        return found


def _leveled(options: Mapping[str, Any], base: TraceSettings, where: str) -> TraceSettings:
    _require_options(options, where)
    given = dict(options)
    level = given.pop("level", None)
    if level is not None:
        base = LEVELS[_one_of(list(LEVELS))(level, f"{where}.level")]
    return base.changed(given, where)
