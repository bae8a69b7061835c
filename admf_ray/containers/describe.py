"""What is in a container: as plain values, as lines for a terminal, and as a Mermaid flowchart."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from itertools import count
from typing import TYPE_CHECKING, Any

from admf_ray.events import EventBus, EventTracer, container_memory

if TYPE_CHECKING:
    from admf_ray.containers.container import ScopedContainer

__all__ = ["describe", "mermaid", "text_tree"]


_ENTITIES = str.maketrans({"#": "#35;", "&": "#amp;", '"': "#quot;", "<": "#lt;", ">": "#gt;", "`": "#96;"})


def describe(container: "ScopedContainer") -> dict[str, Any]:
    """Give what a container holds as plain values, which JSON can say.

    Returns
    -------
    dict
        ``container_id``, ``kind``, ``description``, ``state``; ``failure`` (text or None); ``components`` by name, each
        with ``type``, ``state`` and ``needs``; ``services`` (names that it may have); ``subscriptions``, each with
        ``type``, ``handler``, ``component`` (name, or None where the handler is no component's) and ``filter`` (text or
        None); ``forwards`` (``direction``, ``types``, ``filter`` and ``text`` of each rule); ``memory`` (see
        `admf_ray.events.ContainerMemory`); ``events`` seen, None where no tracer counts them; ``children``, each of
        them such a dict.
    """
    bus, failure = container.bus, container.failure
    return {
        "container_id": container.container_id,
        "kind": container.spec.kind,
        "description": container.spec.description,
        "state": str(container.state),
        "failure": None if failure is None else f"{failure.error}: {failure.message}",
        "components": {
            one.name: {"type": one.kind, "state": str(one.state), "needs": dict(one.needs)}
            for one in container.components
        },
        "services": container.services,
        "subscriptions": list(_subscriptions(container)),
        "forwards": [
            {
                "direction": rule.direction,
                "types": sorted(map(str, rule.types)),
                "filter": None if rule.filter is None else str(rule.filter),
                "text": str(rule),
            }
            for rule in bus.rules
        ],
        "memory": asdict(container_memory(bus)),
        "events": _events_seen(bus),
        "children": [describe(child) for child in container.children],
    }


def _subscriptions(container: "ScopedContainer") -> Iterator[dict[str, Any]]:
    names = {id(one.value): one.name for one in container.components if one.value is not None}
    for subscription in container.bus.subscriptions:
        condition = subscription.filter
        yield {
            "type": str(subscription.type),
            "handler": subscription.handler,
            "component": names.get(id(subscription.entry[0]())),
            "filter": None if condition is None else str(condition),
        }


def _events_seen(bus: EventBus) -> int | None:
    seen = [sum(one.counts.values()) for one in bus.observers if isinstance(one, EventTracer)]
    return max(seen, default=None)


def text_tree(container: "ScopedContainer | Mapping[str, Any]") -> str:
    """Draw a container, its components, subscriptions and forwarding rules, and all that is nested, for a terminal.

    Parameters
    ----------
    container : ScopedContainer or mapping
        The container, or what `describe` gave of it.

    Examples
    --------
    >>> from admf_ray.containers import ComponentSpec, ContainerSpec, ScopedContainer, text_tree
    >>> from admf_ray.events import EventType, ForwardingRule
    >>> inner = ContainerSpec("strategy", forwards=[ForwardingRule("up", frozenset([EventType.SIGNAL]))])
    >>> spec = ContainerSpec("backtest", [ComponentSpec("positions", dict)], {"cross": inner})
    >>> container = ScopedContainer(spec, "doctest-containers")
    >>> print(text_tree(container))
    doctest-containers [backtest] UNINITIALIZED
    ├── positions: dict UNINITIALIZED
    └── doctest-containers.cross [strategy] UNINITIALIZED
        └── forwards up: SIGNAL
    >>> container.dispose()
    """
    return "\n".join(_lines(_described(container)))


def _described(container: "ScopedContainer | Mapping[str, Any]") -> Mapping[str, Any]:
    return container if isinstance(container, Mapping) else container.snapshot()


def _lines(held: Mapping[str, Any]) -> Iterator[str]:
    failure = f" ({held['failure']})" if held["failure"] else ""
    yield f"{held['container_id']} [{held['kind']}] {held['state']}{failure}"
    branches = [[text] for text in _branches(held)]
    branches += [list(_lines(child)) for child in held["children"]]
    for place, (first, *others) in enumerate(branches, 1):
        is_last = place == len(branches)
        yield f"{'└── ' if is_last else '├── '}{first}"
        for line in others:
            yield f"{'    ' if is_last else '│   '}{line}"


def _branches(held: Mapping[str, Any]) -> Iterator[str]:
    for name, one in held["components"].items():
        needs = f" <- {', '.join(one['needs'].values())}" if one["needs"] else ""
        yield f"{name}: {one['type']} {one['state']}{needs}"
    for one in held["subscriptions"]:
        component = f"{one['component']}: " if one["component"] else ""
        yield f"on {_condition(one['type'], one['filter'])} -> {component}{one['handler']}"
    for rule in held["forwards"]:
        yield f"forwards {rule['text']}"


def _condition(types: str, condition: str | None) -> str:
    return f"{types} where {condition}" if condition else types


def mermaid(container: "ScopedContainer | Mapping[str, Any]") -> str:
    """Draw a container, or what `describe` gave of it, and all that is nested as a Mermaid flowchart.

    A box is a container, with its bus and its components. Thick arrows are forwarding rules between buses, thin ones go
    from a bus to whom it tells, dotted ones from a component to what it needs.
    """
    return "\n".join(["flowchart TD", *_Chart().lines(_described(container), None)])


class _Chart:
    """The lines of one flowchart; hands out names of nodes, as ids of containers may hold anything."""

    def __init__(self) -> None:
        self._numbers = count()

    def lines(self, held: Mapping[str, Any], above: str | None) -> Iterator[str]:
        """Give the box of a container, what is in it, and its arrows to the bus above."""
        box, bus = self._name(), self._name()
        title = f"{held['container_id']} [{held['kind']}] {held['state']}"
        yield f"subgraph {box}[{_quoted(title)}]"
        yield f"  {bus}(({_quoted('bus')}))"
        names = {}
        for name, one in held["components"].items():
            names[name] = self._name()
            yield f"  {names[name]}[{_quoted(name + ': ' + one['type'])}]"
        for name, one in held["components"].items():
            for needed in one["needs"].values():
                # Services belong to no box: what a component gets of them is in the text tree.
                if needed in names:
                    yield f"  {names[name]} -.-> {names[needed]}"
        for one in held["subscriptions"]:
            told = names.get(one["component"])
            if told is None:
                told = self._name()
                yield f"  {told}[{_quoted(one['handler'])}]"
            yield f"  {bus} -->|{_quoted(_condition(one['type'], one['filter']))}| {told}"
        for child in held["children"]:
            yield from (f"  {line}" for line in self.lines(child, bus))
        yield "end"
        if above is not None:
            for rule in held["forwards"]:
                sender, receiver = (bus, above) if rule["direction"] == "up" else (above, bus)
                label = _condition(", ".join(rule["types"]), rule["filter"])
                yield f"{sender} ==>|{_quoted(label)}| {receiver}"

    def _name(self) -> str:
        return f"n{next(self._numbers)}"


def _quoted(text: str) -> str:
    """Give a label in quotation marks; what means something to Mermaid in it is written as its entities."""
    return '"' + text.translate(_ENTITIES) + '"'
