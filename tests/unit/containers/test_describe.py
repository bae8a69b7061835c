"""What is in a container: values, lines, flowchart."""

import json

import pytest

from admf_ray.containers import ContainerSpec, ScopedContainer, mermaid, text_tree
from admf_ray.events import (
    Event,
    EventBus,
    EventTracer,
    EventType,
    ForwardingRule,
    Retention,
    Signal,
    TraceSettings,
    by_strategy,
)
from tests.unit.containers.parts import Listener, component, living, made, of_kind, part, tell

UP = ForwardingRule("up", frozenset([EventType.SIGNAL, EventType.REGIME]), by_strategy("cross"))
DOWN = ForwardingRule("down", frozenset([EventType.SYSTEM]))


class Risk:
    def __init__(self, limits: object) -> None:
        self.limits = limits

    def initialize(self, bus: EventBus) -> None:
        bus.subscribe(EventType.SIGNAL, self.on_signal, by_strategy("cross"))

    def on_signal(self, event: Event[Signal]) -> None: ...


def spec() -> ContainerSpec:
    inner = of_kind("strategy", component("listener", Listener), forwards=[UP, DOWN])
    return of_kind(
        "risk",
        component("risk", Risk, limits="limits"),
        component("limits", dict),
        children={"cross": inner, "empty": of_kind("strategy")},
        description="limits what strategies want",
    )


def test_the_text_tree_shows_components_subscriptions_rules_and_children() -> None:
    with made(spec()) as container:
        assert text_tree(container).splitlines() == [
            "a [risk] RUNNING",
            "├── limits: dict RUNNING",
            "├── risk: Risk RUNNING <- limits",
            "├── on SIGNAL where strategy=cross -> risk: Risk.on_signal",
            "├── a.cross [strategy] RUNNING",
            "│   ├── listener: Listener RUNNING",
            "│   ├── on SYSTEM -> listener: Listener.on_system",
            "│   ├── forwards up: REGIME, SIGNAL where strategy=cross",
            "│   └── forwards down: SYSTEM",
            "└── a.empty [strategy] RUNNING",
        ]


def test_the_flowchart_has_a_box_for_each_container_and_arrows_for_what_goes_where() -> None:
    with made(spec()) as container:
        assert mermaid(container).splitlines() == [
            "flowchart TD",
            'subgraph n0["a [risk] RUNNING"]',
            '  n1(("bus"))',
            '  n2["limits: dict"]',
            '  n3["risk: Risk"]',
            "  n3 -.-> n2",
            '  n1 -->|"SIGNAL where strategy=cross"| n3',
            '  subgraph n4["a.cross [strategy] RUNNING"]',
            '    n5(("bus"))',
            '    n6["listener: Listener"]',
            '    n5 -->|"SYSTEM"| n6',
            "  end",
            '  n5 ==>|"REGIME, SIGNAL where strategy=cross"| n1',
            '  n1 ==>|"SYSTEM"| n5',
            '  subgraph n7["a.empty [strategy] RUNNING"]',
            '    n8(("bus"))',
            "  end",
            "end",
        ]


def test_texts_cannot_break_out_of_a_label() -> None:
    with living(of_kind('say "hi" <b> #1;'), 'a"b') as container:
        assert 'subgraph n0["a#quot;b [say #quot;hi#quot; #lt;b#gt; #35;1;] UNINITIALIZED"]' in mermaid(container)


def test_a_handler_that_is_no_component_is_shown_by_its_name() -> None:
    with made(of_kind("any")) as container:
        listener = Listener()
        container.bus.subscribe(EventType.SYSTEM, listener.on_system)
        assert text_tree(container).splitlines()[1:] == ["└── on SYSTEM -> Listener.on_system"]
        assert mermaid(container).splitlines()[3:5] == ['  n2["Listener.on_system"]', '  n1 -->|"SYSTEM"| n2']


def test_a_failure_is_shown() -> None:
    with made(of_kind("any")) as container:
        with container.boundary():
            raise ValueError("no bars")
        assert text_tree(container) == "a [any] FAILED (ValueError: no bars)"


def test_a_snapshot_holds_plain_values() -> None:
    with made(spec(), "a", {"bars": (1.0,)}) as container:
        held = json.loads(json.dumps(container.snapshot()))
    assert (held["container_id"], held["kind"], held["state"], held["failure"], held["events"]) == (
        "a",
        "risk",
        "RUNNING",
        None,
        None,
    )
    assert held["description"] == "limits what strategies want"
    assert held["components"]["risk"] == {"type": "Risk", "state": "RUNNING", "needs": {"limits": "limits"}}
    assert held["services"] == ["bars"]
    assert held["subscriptions"] == [
        {"type": "SIGNAL", "handler": "Risk.on_signal", "component": "risk", "filter": "strategy=cross"}
    ]
    assert held["memory"]["subscriptions"] == 1
    assert held["memory"]["children"] == 2
    assert [rule["text"] for rule in held["children"][0]["forwards"]] == [
        "up: REGIME, SIGNAL where strategy=cross",
        "down: SYSTEM",
    ]


def test_events_are_counted_where_a_tracer_does() -> None:
    def observe(bus: EventBus) -> None:
        bus.attach(EventTracer(TraceSettings(retention=Retention.SLIDING_WINDOW, max_events=2)))

    with made(spec(), observe=observe) as container:
        for text in ("one", "two", "three"):
            tell(container, text)
        held = container.snapshot()
    assert (held["events"], held["memory"]["retained"]) == (3, 2)
    assert [child["events"] for child in held["children"]] == [3, 0], "what was forwarded is seen as well"


def test_a_disposed_container_can_still_be_described() -> None:
    container = made(spec())
    container.dispose()
    assert text_tree(container).splitlines() == [
        "a [risk] DISPOSED",
        "├── limits: dict DISPOSED",
        "└── risk: Risk DISPOSED <- limits",
    ]


@pytest.mark.parametrize("draw", [text_tree, mermaid])
def test_drawing_changes_nothing(draw: object) -> None:
    assert callable(draw)
    diary: list[str] = []
    with made(of_kind("any", part(diary, "a"))) as container:
        assert isinstance(container, ScopedContainer)
        before = list(diary)
        assert draw(container) == draw(container)
        assert diary == before
