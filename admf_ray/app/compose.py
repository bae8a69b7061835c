"""From settings to the compositions that decide, and the containers that they run in."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

from admf_ray.app.composition_settings import MemberSettings, Range, Searched, WatchSettings
from admf_ray.app.parsing import parse_settings
from admf_ray.app.settings import Settings
from admf_ray.classifiers import CLASSIFIERS
from admf_ray.containers import ScopedContainer
from admf_ray.core.parameters import Parameter
from admf_ray.core.registry import unknown_name
from admf_ray.engine.composition import ONE_OF, Composition, Member, Watch
from admf_ray.engine.event_driven import BOOK, container_spec
from admf_ray.errors import ConfigError
from admf_ray.events import ContainerRegistry
from admf_ray.strategies import STRATEGIES

__all__ = [
    "book_settings",
    "compose",
    "composed_containers",
    "composed_params",
    "composed_space",
    "compositions",
    "member_settings",
]

_MAIN = "classifier"
Given = TypeVar("Given")


def compose(settings: Settings) -> Composition:
    """Give the strategies, classifiers and the ensemble that the settings name.

    Raises
    ------
    ConfigError
        Names the option and what is allowed.
    """
    members = tuple(
        Member(
            name,
            STRATEGIES[str(one.strategy)],
            tuple((watch, tuple(labels)) for watch, labels in one.trades_in.items()),
            tuple(one.by_regime),
        )
        for name, one in _members(settings).items()
    )
    watches = tuple(
        Watch(name, CLASSIFIERS[str(one.name)], one.symbol, one.timeframe) for name, one in _watches(settings).items()
    )
    kind, weights = settings.ensemble.kind, settings.ensemble.weights
    names = [member.name for member in members]
    for name in weights:
        if name not in names:
            raise ConfigError(f"ensemble.weights.{name}: {unknown_name('member', name, names)}")
    if kind is not None and len(members) == 1:
        raise ConfigError(f"ensemble.kind: {kind}, and no members; allowed: ensemble.members, beside strategy, or none")
    if kind == ONE_OF and weights:
        raise ConfigError("ensemble.weights: of one_of the member that trades has all of it; allowed: {}")
    given = tuple(float(weights.get(name, 0.0 if weights else 1.0 / len(members))) for name in names)
    return Composition(members, watches, kind, given if kind is not None or len(members) > 1 else (1.0,))


def _members(settings: Settings) -> dict[str, MemberSettings]:
    """Give the members by name, `strategy` first."""
    first = settings.strategy
    if first.name is None:
        raise ConfigError(f"strategy.name: which strategy? allowed: {', '.join(STRATEGIES.names())}")
    own = MemberSettings(
        strategy=first.name,
        params=first.params,
        space=first.space,
        trades_in=first.trades_in,
        by_regime=first.by_regime,
    )
    if first.name in settings.ensemble.members:
        raise ConfigError(f"ensemble.members.{first.name}: that is the name of strategy; allowed: another name")
    others = {
        name: one if one.strategy else one.model_copy(update={"strategy": name})
        for name, one in settings.ensemble.members.items()
    }
    return {first.name: own, **others}


def _watches(settings: Settings) -> dict[str, WatchSettings]:
    """Give the classifiers by name, the one whose labels are the regimes first."""
    found: dict[str, WatchSettings] = {} if settings.classifier.name is None else {_MAIN: settings.classifier}
    for name, one in settings.filters.items():
        if one.name is None:
            raise ConfigError(f"filters.{name}.name: which classifier? allowed: {', '.join(CLASSIFIERS.names())}")
        found[name] = one
    return found


def composed_params(settings: Settings, composition: Composition) -> dict[str, float]:
    """Give the parameters that are not defaults, by their names in the composition.

    ``strategy.params`` may name any of them, and goes before what members, regimes and classifiers say of themselves.
    """
    found: dict[str, float] = {}
    for index, (name, one) in enumerate(_members(settings).items()):
        prefix, names = f"{name}_" if index else "", composition.members[index].strategy.parameter_names
        where = "strategy" if not index else f"ensemble.members.{name}"
        own = {key: value for key, value in one.params.items() if index or key in names}
        for label, values in (("", own), *((f"{label}_", {**own, **given}) for label, given in one.by_regime.items())):
            found |= dict(_prefixed(f"{prefix}{label}", values, names, where))
    for watch, settings_of in zip(composition.watches, _watches(settings).values(), strict=True):
        where = _MAIN if watch.name == _MAIN else f"filters.{watch.name}"
        names = watch.classifier.parameter_names
        found |= dict(_prefixed(f"{watch.name}_", settings_of.params, names, where))
    return found | dict(settings.strategy.params)


def composed_space(settings: Settings, composition: Composition) -> dict[str, Searched]:
    """Give what is searched, by the names of the composition.

    A member goes through its ``space``, or where it has none through what its strategy declares of the parameters that
    ``params`` does not set. ``strategy.space`` may name any parameter of the composition.

    Raises
    ------
    ConfigError
        Names the option and what is allowed.
    """
    found: dict[str, Searched] = {}
    for index, (name, one) in enumerate(_members(settings).items()):
        prefix, strategy = f"{name}_" if index else "", composition.members[index].strategy
        own = one.space or {
            parameter.name: _declared(parameter)
            for parameter in strategy.parameters
            if parameter.space is not None and parameter.name not in one.params
        }
        # Names that are not those of the first member are checked with all others.
        names = strategy.parameter_names if index else tuple(own)
        found |= dict(_prefixed(prefix, own, names, f"ensemble.members.{name}.space"))
    return found


def _declared(parameter: Parameter) -> Searched:
    space = parameter.space
    return Range.model_validate(space) if isinstance(space, Mapping) else list(space or ())


def member_settings(settings: Settings, member: str) -> dict[str, Any]:
    """Give the ``strategy`` section with which a member trades alone, without params and space."""
    one = _members(settings)[member]
    return {"name": one.strategy, "trades_in": dict(one.trades_in), "by_regime": dict(one.by_regime)}


def _prefixed(
    prefix: str, values: Mapping[str, Given], names: Sequence[str], where: str
) -> Iterator[tuple[str, Given]]:
    for key, value in values.items():
        if key not in names:
            raise ConfigError(f"{where}: {unknown_name('parameter', key, list(names))}")
        yield f"{prefix}{key}", value


def book_settings(settings: Settings) -> dict[str, Settings]:
    """Give the settings of each book: those of all, with what the book has of its own.

    Raises
    ------
    ConfigError
        Names the book and the option.
    """
    plain = settings.plain() | {"books": {}}
    return {name: _book(name, _merged(plain, own)) for name, own in settings.books.items()}


def _book(name: str, values: Mapping[str, Any]) -> Settings:
    try:
        return parse_settings(values)
    except ConfigError as error:
        raise ConfigError("\n".join(f"books.{name}.{line}" for line in str(error).splitlines())) from None


def compositions(settings: Settings) -> dict[str, Composition]:
    """Give the composition of each book, of `BOOK` where there is only one; of one that trades of several, all."""
    books = book_settings(settings) or {BOOK: settings}
    found = {name: compose(own) for name, own in books.items()}
    return {
        one.composition.name if composition.is_one_of else name: one.composition
        for name, composition in found.items()
        for one in composition.alternatives
    }


@contextmanager
def composed_containers(books: Mapping[str, Composition]) -> Iterator[ScopedContainer]:
    """Give the containers of books, initialized, as something to look at; dispose of them after the block."""
    # In a registry of their own they are in nobody's way, whatever runs beside.
    container = ScopedContainer(container_spec(books), "backtest", registry=ContainerRegistry())
    try:
        container.initialize()
        yield container
    finally:
        container.dispose()


def _merged(values: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(values)
    for name, value in own.items():
        before = merged.get(name)
        # A strategy or classifier of another name begins with its own defaults.
        is_other = isinstance(value, Mapping) and "name" in value
        is_below = isinstance(value, Mapping) and isinstance(before, Mapping) and not is_other
        merged[name] = _merged(before or {}, value) if is_below else value
    return merged
