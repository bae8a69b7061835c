"""``+experiment=components``: what can be named in options, keys and specs."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Console

from admf_ray.app.settings import Settings
from admf_ray.classifiers import CLASSIFIERS, Classifier
from admf_ray.containers import COMPONENTS, PROTOCOLS, ComponentKind
from admf_ray.core.parameters import Parameter
from admf_ray.core.registry import Registry, unknown_name
from admf_ray.ensembles import ENSEMBLES, Ensemble
from admf_ray.errors import ConfigError
from admf_ray.events import EventType
from admf_ray.indicators import INDICATORS, Indicator
from admf_ray.logs import log_record
from admf_ray.risk.sizing import SIZINGS, SizingRule
from admf_ray.strategies import STRATEGIES, Strategy

__all__ = ["run"]

_NEVER = 10**9


def run(settings: Settings, console: Console) -> int:
    """List what is registered, of one family or of all: its name, what it takes and gives, and where it is from.

    A component protocol as ``protocol`` lists the components that take part in it.
    """
    listed = _chosen(settings.protocol)
    for title, (family, entries) in listed.items():
        console.print(title, highlight=False, markup=False, soft_wrap=True)
        for entry in entries:
            for line in _FAMILIES[family].lines(entry):
                console.print(f"  {line}", highlight=False, markup=False, soft_wrap=True)
        if not entries:
            console.print("  none", highlight=False)
    log_record("COMPONENTS", {title: [entry.name for entry in entries] for title, (_, entries) in listed.items()})
    return 0


def _chosen(protocol: str | None) -> dict[str, tuple[str, list[Any]]]:
    """Give families and entries by what stands above them."""
    if protocol is None:
        return {name: (name, list(family.registry)) for name, family in _FAMILIES.items()}
    names = [*_FAMILIES, *(one.__name__ for one in PROTOCOLS)]
    name = {one.lower(): one for one in names}.get(protocol.lower())
    if name is None:
        raise ConfigError(f"protocol: {unknown_name('family or component protocol', protocol, names)}")
    if name in _FAMILIES:
        return {name: (name, list(_FAMILIES[name].registry))}
    return {f"components: {name}": ("components", [kind for kind in COMPONENTS if name in kind.protocols])}


def _strategy(strategy: Strategy) -> tuple[str, ...]:
    reads = ", ".join(strategy.inputs) or "bars"
    return f"{strategy.name}: {_bounds(strategy.parameters)}; reads {reads}", f"    {strategy.source}"


def _classifier(classifier: Classifier) -> tuple[str, ...]:
    labels = ", ".join(classifier.labels(classifier.defaults))
    fitted = "; fitted" if classifier.fit else ""
    said = f"{classifier.name}: {_bounds(classifier.parameters)}; labels {labels}"
    return f"{said}; reads {', '.join(classifier.inputs)}{fitted}", f"    {classifier.source}"


def _indicator(indicator: Indicator) -> tuple[str, ...]:
    defaults = tuple(float(parameter.default) for parameter in indicator.parameters)
    key = f"{indicator.name}({', '.join([*indicator.inputs, *(one.name for one in indicator.parameters)])})"
    convergence = indicator.convergence(defaults)
    forgets = "never forgets" if convergence >= _NEVER else f"convergence {convergence:,}"
    said = (
        f"{key}: {indicator.pattern}; gives {', '.join(indicator.outputs)}; {_bounds(indicator.parameters)}; "
        f"warm-up {indicator.warm_up(defaults):,}, {forgets}"
    )
    return said, f"    {indicator.source}"


def _rule(rule: SizingRule | Ensemble) -> tuple[str, ...]:
    return (f"{rule.name}: {rule.source}",)


def _component(kind: ComponentKind) -> tuple[str, ...]:
    takes = ", ".join(map(str, kind.parameters)) or "no parameters"
    events = "" if kind.hears is None else f"; hears {_types(kind.hears)}; tells {_types(kind.tells or ())}"
    protocols = ", ".join(kind.protocols) or "no protocol"
    return f"{kind.name}: {protocols}; takes {takes}{events}", f"    {kind.description}"


def _types(types: Iterable[EventType]) -> str:
    return ", ".join(types) or "nothing"


def _bounds(parameters: Sequence[Parameter]) -> str:
    return (
        ", ".join(f"{one.name} {one.default:g} ({one.low:g} to {one.high:g})" for one in parameters) or "no parameters"
    )


@dataclass(frozen=True, slots=True)
class _Family:
    """A registry, and the lines that an entry of it is shown as."""

    registry: Registry[Any]
    lines: Callable[[Any], tuple[str, ...]]


_FAMILIES = {
    "strategies": _Family(STRATEGIES, _strategy),
    "classifiers": _Family(CLASSIFIERS, _classifier),
    "ensembles": _Family(ENSEMBLES, _rule),
    "indicators": _Family(INDICATORS, _indicator),
    "sizings": _Family(SIZINGS, _rule),
    "components": _Family(COMPONENTS, _component),
}
