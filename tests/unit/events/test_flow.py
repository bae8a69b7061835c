from collections.abc import Iterator

import pytest

from admf_ray.errors import ConfigError, ContractError
from admf_ray.events.bus import EventBus
from admf_ray.events.event import Event
from admf_ray.events.flow import EventFlowValidator, Flow
from admf_ray.events.payloads import Bar, EventType, Order, Signal, System

NAN = float("nan")
BAR = Bar("SPX", 1, 1.0, 1.0, 1.0, 1.0, 1.0)
SIGNAL = Signal("cross", "SPX", 1, 1.0)
ORDER = Order("SPX", 1, 1, 1, 1.0, 0, NAN)
SYSTEM = System("seen")
BARS_LEAD_TO_SIGNALS = Flow(EventType.BAR, EventType.SIGNAL)
SIGNALS_LEAD_TO_ORDERS = Flow(EventType.SIGNAL, EventType.ORDER)


@pytest.fixture
def bus() -> Iterator[EventBus]:
    bus = EventBus("flow")
    yield bus
    bus.close()


def watched(bus: EventBus, *flows: Flow, **options) -> EventFlowValidator:
    validator = EventFlowValidator(flows, **options)
    bus.attach(validator)
    return validator


def say(bus: EventBus, payload, at: int = 0, of: str | None = None, cause: Event | None = None) -> Event:
    event = Event(payload, "component", bus.container_id, at, of, cause)
    bus.publish(event)
    return event


def texts(validator: EventFlowValidator) -> list[str]:
    return [str(finding) for finding in validator.findings()]


def test_what_follows_with_the_same_correlation_completes_a_flow(bus: EventBus) -> None:
    validator = watched(bus, SIGNALS_LEAD_TO_ORDERS)
    say(bus, SIGNAL, of="trade-1")
    assert validator.open_flows == 1
    say(bus, ORDER, of="trade-1")
    assert (validator.open_flows, validator.findings()) == (0, [])
    validator.check()


def test_an_answer_of_another_correlation_leaves_the_flow_open(bus: EventBus) -> None:
    validator = watched(bus, SIGNALS_LEAD_TO_ORDERS)
    signal = say(bus, SIGNAL, of="trade-1")
    say(bus, ORDER, of="trade-2", cause=signal)
    say(bus, ORDER)
    (finding,) = validator.findings()
    assert (finding.kind, finding.event_id) == ("missing", "flow#1")
    assert finding.what == "ORDER did not follow SIGNAL flow#1 of trade-1"


def test_what_came_before_the_first_event_answers_nothing(bus: EventBus) -> None:
    validator = watched(bus, SIGNALS_LEAD_TO_ORDERS)
    say(bus, ORDER, of="trade-1")
    say(bus, SIGNAL, of="trade-1")
    assert texts(validator) == ["missing: ORDER did not follow SIGNAL flow#2 of trade-1"]


def test_several_events_must_come_in_their_order(bus: EventBus) -> None:
    validator = watched(bus, Flow(EventType.BAR, (EventType.SIGNAL, EventType.ORDER)))
    say(bus, BAR, of="a")
    say(bus, ORDER, of="a")
    say(bus, SIGNAL, of="a")
    assert texts(validator) == ["missing: ORDER did not follow BAR flow#1 of a"]
    say(bus, ORDER, of="a")
    assert validator.findings() == []


def test_every_first_event_needs_an_answer_of_its_own(bus: EventBus) -> None:
    validator = watched(bus, SIGNALS_LEAD_TO_ORDERS)
    say(bus, SIGNAL, of="trade-1")
    say(bus, SIGNAL, of="trade-1")
    say(bus, ORDER, of="trade-1")
    assert texts(validator) == ["missing: ORDER did not follow SIGNAL flow#2 of trade-1"]


def test_the_cause_says_which_of_several_flows_is_answered(bus: EventBus) -> None:
    validator = watched(bus, SIGNALS_LEAD_TO_ORDERS)
    say(bus, SIGNAL, of="trade-1")
    second = say(bus, SIGNAL, of="trade-1")
    say(bus, ORDER, cause=second)
    assert texts(validator) == ["missing: ORDER did not follow SIGNAL flow#1 of trade-1"]


def test_without_correlation_an_answer_is_found_along_its_chain_of_causes(bus: EventBus) -> None:
    validator = watched(bus, BARS_LEAD_TO_SIGNALS)
    first = say(bus, BAR)
    second = say(bus, BAR)
    between = say(bus, SYSTEM, cause=second)
    # The signal begins the life of a trade; its chain leads back to the second bar.
    say(bus, SIGNAL, of="trade-1", cause=between)
    assert [finding.event_id for finding in validator.findings()] == [str(first.event_id)]


def test_of_several_first_events_in_a_chain_the_newest_is_answered(bus: EventBus) -> None:
    validator = watched(bus, BARS_LEAD_TO_SIGNALS)
    daily = say(bus, BAR)
    weekly = say(bus, BAR, cause=daily)
    say(bus, SIGNAL, cause=weekly)
    assert [finding.event_id for finding in validator.findings()] == [str(daily.event_id)]


def test_flows_that_are_declared_together_are_answered_apart(bus: EventBus) -> None:
    validator = watched(
        bus, Flow(EventType.BAR, (EventType.SIGNAL, EventType.ORDER)), Flow(EventType.BAR, EventType.ORDER)
    )
    first = say(bus, BAR)
    second = say(bus, BAR, cause=first)
    say(bus, ORDER, cause=second)
    assert texts(validator) == [
        "missing: SIGNAL, ORDER did not follow BAR flow#1",
        "missing: ORDER did not follow BAR flow#1",
        "missing: SIGNAL, ORDER did not follow BAR flow#2",
    ]


def test_a_flow_says_what_it_expects() -> None:
    assert str(Flow(EventType.BAR, EventType.SIGNAL)) == "BAR -> SIGNAL"


def test_one_event_that_is_seen_twice_does_no_harm(bus: EventBus) -> None:
    validator = watched(bus, BARS_LEAD_TO_SIGNALS)
    bus.attach(validator)
    say(bus, SIGNAL, cause=say(bus, BAR))
    assert (validator.findings(), bus.failures) == ([], {})


def test_without_correlation_a_cause_elsewhere_is_no_answer(bus: EventBus) -> None:
    validator = watched(bus, BARS_LEAD_TO_SIGNALS)
    elsewhere = say(bus, SYSTEM)
    say(bus, BAR)
    say(bus, SIGNAL, cause=elsewhere)
    assert texts(validator) == ["missing: SIGNAL did not follow BAR flow#2"]


def test_without_correlation_and_cause_the_order_decides(bus: EventBus) -> None:
    validator = watched(bus, BARS_LEAD_TO_SIGNALS)
    say(bus, BAR)
    say(bus, BAR)
    say(bus, SIGNAL)
    assert texts(validator) == ["missing: SIGNAL did not follow BAR flow#2"]


def test_an_event_may_end_a_flow_and_begin_the_next_one(bus: EventBus) -> None:
    validator = watched(bus, Flow(EventType.BAR, EventType.BAR))
    for _ in range(3):
        say(bus, BAR)
    assert texts(validator) == ["missing: BAR did not follow BAR flow#3"]


def test_a_flow_is_late_once_an_event_is_past_its_deadline(bus: EventBus) -> None:
    validator = watched(bus, Flow(EventType.SIGNAL, EventType.ORDER, within=10))
    say(bus, SIGNAL, at=100, of="trade-1")
    say(bus, SYSTEM, at=110)
    assert [finding.kind for finding in validator.findings()] == ["missing"]
    say(bus, SYSTEM, at=111)
    (finding,) = validator.findings()
    assert (finding.kind, finding.event_id) == ("late", "flow#1")
    assert finding.what == "ORDER did not follow SIGNAL flow#1 of trade-1 within 10 ns (flow#3 is 11 ns after it)"


@pytest.mark.parametrize(("answered_at", "kinds"), [(110, []), (111, ["late"])])
def test_an_answer_is_in_time_up_to_the_deadline(bus: EventBus, answered_at: int, kinds: list[str]) -> None:
    validator = watched(bus, Flow(EventType.SIGNAL, EventType.ORDER, within=10))
    say(bus, SIGNAL, at=100, of="trade-1")
    say(bus, ORDER, at=answered_at, of="trade-1")
    assert [finding.kind for finding in validator.findings()] == kinds


def test_the_last_of_several_events_must_be_in_time(bus: EventBus) -> None:
    validator = watched(bus, Flow(EventType.BAR, [EventType.SIGNAL, EventType.ORDER], within=10))
    say(bus, BAR, at=100, of="a")
    say(bus, SIGNAL, at=105, of="a")
    say(bus, ORDER, at=112, of="a")
    assert [finding.what.split(" within")[0] for finding in validator.findings()] == [
        "ORDER did not follow BAR flow#1 of a"
    ]


def test_memory_is_that_of_the_flows_that_are_open(bus: EventBus) -> None:
    validator = watched(bus, Flow(EventType.BAR, EventType.SIGNAL, within=10**9))
    for at in range(200):
        say(bus, SIGNAL, at=at, cause=say(bus, BAR, at=at))
    still_open = say(bus, BAR, at=200)
    assert [finding.event_id for finding in validator.findings()] == [str(still_open.event_id)]
    assert (len(validator._led), len(validator._waiting)) == (1, 1)
    assert len(validator._deadlines) < 20


def test_late_flows_past_the_first_thousand_are_counted(bus: EventBus) -> None:
    validator = watched(bus, Flow(EventType.BAR, EventType.SIGNAL, within=0))
    for at in range(1, 1004):
        say(bus, BAR, at=at)
    found = validator.findings()
    # 1,003 bars: the last one is not late yet.
    assert [str(finding) for finding in found[-2:]] == [
        "late: 2 further flows",
        "missing: SIGNAL did not follow BAR flow#1003",
    ]
    assert len(found) == 1002


def test_an_exact_sequence_passes_over_types_that_do_not_count(bus: EventBus) -> None:
    validator = watched(bus, exact=[EventType.BAR, EventType.SIGNAL, EventType.ORDER])
    for payload in (BAR, SYSTEM, SIGNAL, SYSTEM, ORDER):
        say(bus, payload)
    assert validator.findings() == []


def test_an_exact_sequence_names_what_is_missing_and_what_came_instead(bus: EventBus) -> None:
    validator = watched(bus, exact=[EventType.BAR, EventType.SIGNAL, EventType.ORDER, EventType.BAR])
    for payload in (BAR, ORDER):
        say(bus, payload)
    found = validator.findings()
    assert [(finding.kind, finding.what) for finding in found] == [
        ("missing", "SIGNAL at position 2, where ORDER flow#2 came"),
        ("missing", "BAR at position 4, where the events ended"),
    ]
    assert [finding.event_id for finding in found] == ["flow#2", ""]


def test_an_exact_sequence_names_what_is_unexpected(bus: EventBus) -> None:
    validator = watched(bus, exact=[EventType.BAR, EventType.SIGNAL], of=[EventType.SYSTEM])
    for payload in (BAR, SYSTEM, SIGNAL, SIGNAL):
        say(bus, payload)
    assert texts(validator) == ["unexpected: SYSTEM flow#2 at position 2", "unexpected: SIGNAL flow#4 at position 4"]


def test_an_exact_sequence_names_what_is_out_of_place_once(bus: EventBus) -> None:
    validator = watched(bus, exact=[EventType.BAR, EventType.SIGNAL, EventType.ORDER])
    for payload in (ORDER, BAR, SIGNAL):
        say(bus, payload)
    assert texts(validator) == ["unexpected: ORDER flow#1 at position 1 is out of place: it belongs at position 3"]


def test_an_empty_sequence_allows_no_event_of_the_types_that_count(bus: EventBus) -> None:
    validator = watched(bus, exact=(), of=[EventType.ERROR])
    say(bus, BAR)
    validator.check()
    bus.publish("no event")
    assert texts(validator) == ["unexpected: ERROR flow#2 at position 1"]


def test_events_far_beyond_an_exact_sequence_are_counted(bus: EventBus) -> None:
    validator = watched(bus, exact=[EventType.SIGNAL], of=[EventType.BAR])
    say(bus, SIGNAL)
    for _ in range(1003):
        say(bus, BAR)
    # Positions 2 to 201 are compared; of the other 803 three are not even kept.
    found = texts(validator)
    assert found[:2] == ["unexpected: BAR flow#2 at position 2", "unexpected: BAR flow#3 at position 3"]
    assert found[199:] == [
        "unexpected: BAR flow#201 at position 201",
        "unexpected: 803 further events, from flow#202 on",
    ]


def test_long_sequences_are_compared_from_the_first_difference_on_and_the_rest_is_counted(bus: EventBus) -> None:
    validator = watched(bus, exact=[EventType.BAR] * 10 + [EventType.SIGNAL] * 600)
    for payload in [BAR] * 10 + [ORDER, *[BAR] * 600]:
        say(bus, payload)
    found = validator.findings()
    # ORDER does not count, so that position 11 is the event 12.
    assert str(found[0]) == "unexpected: BAR flow#12 at position 11"
    assert (found[-1].kind, found[-1].event_id) == ("unexpected", "flow#212")
    assert found[-1].what == "400 further events, from flow#212 on, are not the 400 that should come"
    assert len(found) == 200 + 200 + 1


def test_in_a_long_sequence_one_surplus_event_is_one_finding(bus: EventBus) -> None:
    validator = watched(bus, exact=[EventType.BAR, EventType.SIGNAL] * 400, of=[EventType.ORDER])
    for payload in [*[BAR, SIGNAL] * 100, ORDER, *[BAR, SIGNAL] * 300]:
        say(bus, payload)
    assert texts(validator) == ["unexpected: ORDER flow#201 at position 201"]


def test_a_second_difference_far_from_the_first_is_part_of_the_rest(bus: EventBus) -> None:
    validator = watched(bus, exact=[EventType.BAR, EventType.SIGNAL] * 400, of=[EventType.ORDER])
    for payload in [*[BAR, SIGNAL] * 2, ORDER, *[BAR, SIGNAL] * 300, ORDER, *[BAR, SIGNAL] * 98]:
        say(bus, payload)
    # Compared are 200 events from flow#5 on, which are the first ORDER and positions 5 to 203. The second ORDER is
    # flow#606; it comes after position 604, and all after it is equal.
    assert texts(validator) == [
        "unexpected: ORDER flow#5 at position 5",
        "unexpected: 402 further events, from flow#205 on, are not the 401 that should come",
    ]


def test_types_that_are_missing_beyond_what_is_compared_are_counted(bus: EventBus) -> None:
    validator = watched(bus, exact=[EventType.BAR, *[EventType.SIGNAL] * 300, EventType.ORDER])
    for payload in (BAR, ORDER):
        say(bus, payload)
    found = validator.findings()
    assert str(found[0]) == "missing: SIGNAL at position 2, where ORDER flow#2 came"
    assert str(found[-1]) == "missing: 100 further events, from SIGNAL at position 202 on"
    assert (len(found), found[-1].event_id) == (201, "flow#2")


def test_check_names_the_first_findings(bus: EventBus) -> None:
    validator = watched(bus, SIGNALS_LEAD_TO_ORDERS)
    for number in range(1, 8):
        say(bus, SIGNAL, of=f"trade-{number}")
    with pytest.raises(ContractError) as refused:
        validator.check()
    said = str(refused.value)
    assert said.startswith("7 findings in the flow of events: missing: ORDER did not follow SIGNAL flow#1 of trade-1; ")
    assert said.endswith("of trade-5; and 2 more")


def test_the_same_events_give_the_same_findings() -> None:
    said = []
    for _ in range(2):
        bus = EventBus("flow")
        validator = watched(bus, Flow(EventType.SIGNAL, EventType.ORDER, within=1), exact=[EventType.ORDER])
        for at in range(5):
            say(bus, SIGNAL, at=at, of=f"trade-{at}")
        said.append(validator.findings())
        bus.close()
    assert said[0] == said[1]
    assert [finding.kind for finding in said[0]] == ["late"] * 3 + ["missing"] * 3


def test_types_may_be_given_by_name(bus: EventBus) -> None:
    validator = watched(bus, Flow("SIGNAL", "ORDER"), exact=["SIGNAL", "ORDER"])
    say(bus, SIGNAL, of="trade-1")
    say(bus, ORDER, of="trade-1")
    assert validator.findings() == []


@pytest.mark.parametrize(
    ("build", "said"),
    [
        (lambda: Flow(EventType.BAR, ()), "flow after BAR: nothing is to follow"),
        (lambda: Flow(EventType.BAR, EventType.SIGNAL, -1), "flow after BAR: within=-1 ns; allowed: 0 and more"),
        (lambda: Flow(EventType.BAR, "SIGNALS"), "flow: .*SIGNALS.*SIGNAL"),
        (EventFlowValidator, "checks nothing"),
        (lambda: EventFlowValidator(exact=()), "checks nothing"),
        (lambda: EventFlowValidator([BARS_LEAD_TO_SIGNALS], of=[EventType.BAR]), "there is no exact sequence"),
        (lambda: EventFlowValidator(exact=["BARS"]), "exact sequence: .*BARS"),
    ],
)
def test_expectations_that_could_not_be_checked_are_refused(build, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        build()
