"""Components for tests: one that keeps its contract, on which faults are planted."""

from collections.abc import Sequence

from admf_ray.events import Event, EventBus, EventType, Phase, System


class Counter:
    """Says of each phase how many there were, and the price there."""

    def __init__(self, prices: Sequence[float] = (1.0, 2.0, 3.0)) -> None:
        self.prices = prices
        self.reset()

    def initialize(self, bus: EventBus) -> None:
        self.bus = bus
        bus.subscribe(EventType.PHASE, self.on_phase)

    def on_phase(self, event: Event[Phase]) -> None:
        self.count += 1
        said = System(f"{event.payload.phase} {self.count} {self.prices[self.count % 3]}")
        self.bus.publish(Event(said, "counter", self.bus.container_id, cause=event))

    def reset(self) -> None:
        self.count = 0
