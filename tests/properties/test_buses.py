"""Buses against a model in plain lists: subscribe, publish, forward, fail, dispose, in any order."""

from dataclasses import dataclass, field
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    precondition,
    rule,
)

from admf_ray.errors import EventError
from admf_ray.events import (
    ContainerRegistry,
    Event,
    EventBus,
    EventType,
    ForwardingRule,
    Regime,
    Signal,
    System,
    by_strategy,
)

KINDS = (EventType.SYSTEM, EventType.REGIME, EventType.SIGNAL, EventType.ERROR)
STRATEGIES = ("cross", "reversion")
ANSWER = "answer"
MOST_CONTAINERS = 7  # so that they have much to do with each other
TYPES = st.sampled_from([set(KINDS)]) | st.sets(st.sampled_from(KINDS))


def said(event: Event[Any]) -> tuple[str, str, str]:
    """Give what a component remembers of an event: type, container, and a text that tells it from others."""
    text = {EventType.SYSTEM: "message", EventType.REGIME: "classifier", EventType.SIGNAL: "symbol"}.get(event.type)
    return event.type.value, event.container_id, getattr(event.payload, text) if text else ""


class Component:
    """Remembers what it is told; may answer SYSTEM events that are no answers, and may fail."""

    def __init__(self, name: int, bus: EventBus, answers: bool, fails: bool, told: list[Any]) -> None:
        self.name, self.bus, self.answers, self.fails, self.told = name, bus, answers, fails, told

    def on_event(self, event: Event[Any]) -> None:
        self.told.append((self.name, said(event)))
        if self.answers and event.type is EventType.SYSTEM and event.payload.message != ANSWER:
            self.bus.publish(Event(System(ANSWER), "component", self.bus.container_id, cause=event))
        if self.fails:
            raise ValueError("on purpose")


@dataclass(eq=False)
class Listening:
    """A subscription of the model."""

    name: int
    kind: str
    strategy: str | None
    answers: bool
    fails: bool
    component: Component | None = None
    subscription: Any = None


@dataclass(eq=False)
class Node:
    """A container of the model."""

    name: str
    bus: EventBus
    expected: list[Any]
    parent: "Node | None" = None
    up: set[EventType] = field(default_factory=set)
    down: set[EventType] = field(default_factory=set)
    children: list["Node"] = field(default_factory=list)
    listening: list[Listening] = field(default_factory=list)
    waiting: list[Any] = field(default_factory=list)
    is_telling: bool = False
    is_closed: bool = False

    def names(self) -> set[str]:
        return {self.name}.union(*(child.names() for child in self.children))

    def take(self, event: tuple[str, str, str], strategy: str) -> None:
        """Tell everybody of an event, and then of what came in between, first in, first out."""
        self.waiting.append((event, strategy))
        if self.is_telling:
            return
        self.is_telling = True
        while self.waiting:
            self.tell(*self.waiting.pop(0))
        self.is_telling = False

    def tell(self, event: tuple[str, str, str], strategy: str) -> None:
        kind, origin, text = event
        for one in self.listening:
            if one.kind == kind and one.strategy in {None, strategy}:
                self.expected.append((one.name, event))
                if one.answers and kind == "SYSTEM" and text != ANSWER:
                    self.take(("SYSTEM", self.name, ANSWER), "")
                if one.fails and kind != "ERROR":
                    self.take(("ERROR", self.name, ""), "")
        if self.parent and kind in self.up and origin in self.names():
            self.parent.take(event, strategy)
        for child in self.children:
            if kind in child.down and origin not in child.names():
                child.take(event, strategy)

    def close(self) -> int:
        """Close it and all below; give how many were closed."""
        if self.is_closed:
            return 0
        closed = 1 + sum(child.close() for child in list(self.children))
        self.is_closed = True
        self.listening.clear()
        if self.parent:
            self.parent.children.remove(self)
        return closed


class Buses(RuleBasedStateMachine):
    """Every component is told exactly what the model says, in that order, and nothing after it is gone."""

    nodes: Bundle[Node] = Bundle("nodes")
    subscriptions: Bundle[Any] = Bundle("subscriptions")

    @initialize(target=nodes)
    def begin(self) -> Any:
        self.registry = ContainerRegistry()
        self.made, self.disposed, self.texts = 1, 0, 0
        self.subscribed = 0
        # Who was told of what, and who should have been, all components in one list: their order counts.
        self.told: list[Any] = []
        self.expected: list[Any] = []
        root = Node("root", EventBus("root", registry=self.registry), self.expected)
        # A family that exchanges everything, so that there is something to get wrong from the first event on.
        below = [self.child(root, set(KINDS), set(KINDS)), self.child(root, set(KINDS), set(KINDS))]
        return multiple(root, *below, self.child(below[0], set(KINDS), set(KINDS)))

    def child(self, parent: Node, up: set[EventType], down: set[EventType]) -> Node:
        name = f"child-{self.made}"
        rules = [ForwardingRule("up", frozenset(up)), ForwardingRule("down", frozenset(down))]
        bus = EventBus(name, parent.bus, rules, registry=self.registry)
        node = Node(name, bus, self.expected, parent, up, down)
        parent.children.append(node)
        self.made += 1
        return node

    @precondition(lambda self: self.made < MOST_CONTAINERS)
    @rule(target=nodes, parent=nodes, up=TYPES, down=TYPES)
    def make_child(self, parent: Node, up: set[EventType], down: set[EventType]) -> Any:
        try:
            node = self.child(parent, up, down)
        except EventError:
            assert parent.is_closed
            return multiple()
        assert not parent.is_closed
        return node

    @rule(
        target=subscriptions,
        node=nodes,
        kinds=TYPES,
        strategy=st.sampled_from(STRATEGIES),
        answers=st.booleans(),
        fails=st.booleans(),
    )
    def subscribe(self, node: Node, kinds: set[EventType], strategy: str, answers: bool, fails: bool) -> Any:
        made = []
        for kind in sorted(kinds):
            where = by_strategy(strategy) if kind is EventType.SIGNAL else None
            self.subscribed += 1
            one = Listening(self.subscribed, kind.value, strategy if where else None, answers, fails)
            one.component = Component(one.name, node.bus, answers, fails, self.told)
            try:
                one.subscription = node.bus.subscribe(kind, one.component.on_event, where)
            except EventError:
                assert node.is_closed
                return multiple()
            assert not node.is_closed
            node.listening.append(one)
            made.append((node, one))
        return multiple(*made)

    @rule(subscribed=consumes(subscriptions))
    def unsubscribe(self, subscribed: tuple[Node, Listening]) -> None:
        node, one = subscribed
        node.bus.unsubscribe(one.subscription)
        node.listening = [other for other in node.listening if other is not one]

    @rule(subscribed=consumes(subscriptions))
    def delete_component(self, subscribed: tuple[Node, Listening]) -> None:
        node, one = subscribed
        one.component = None
        node.listening = [other for other in node.listening if other is not one]

    @rule(node=nodes, kind=st.sampled_from(KINDS[:3]), strategy=st.sampled_from(STRATEGIES))
    def publish(self, node: Node, kind: EventType, strategy: str) -> None:
        self.texts += 1
        text = f"text-{self.texts}"
        payload = {
            EventType.SYSTEM: System(text),
            EventType.REGIME: Regime(text, "SPX", 0, 1),
            EventType.SIGNAL: Signal(strategy, text, 0, 1.0),
        }[kind]
        try:
            node.bus.publish(Event(payload, "tester", node.name))
        except EventError:
            assert node.is_closed
            return
        assert not node.is_closed
        node.take((kind.value, node.name, text), strategy if kind is EventType.SIGNAL else "")

    @rule(node=nodes)
    def publish_nonsense(self, node: Node) -> None:
        try:
            node.bus.publish(Event("nonsense", "tester", node.name))
        except EventError:
            assert node.is_closed
            return
        node.take(("ERROR", node.name, ""), "")

    @rule(node=nodes, after=st.integers(5, 50))
    def dispose(self, node: Node, after: int) -> None:
        if self.texts < after:
            return
        node.bus.close()
        self.disposed += node.close()

    @invariant()
    def everybody_was_told_what_the_model_says(self) -> None:
        assert self.told == self.expected

    @invariant()
    def the_registry_counts_them(self) -> None:
        assert (len(self.registry), self.registry.disposed) == (self.made - self.disposed, self.disposed)


TestBuses = Buses.TestCase
TestBuses.settings = settings(max_examples=100, stateful_step_count=60, deadline=None)
