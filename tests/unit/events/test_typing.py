"""What a type checker refuses: subscriptions without their filter, events that are changed."""

import subprocess
import sys
from pathlib import Path

import pytest

ACCEPTED = """
from admf_ray.events import EventBus, Event, EventType, Fill, Signal, by_container, by_strategy, by_symbol
bus = EventBus("typing")
def on_signal(event: Event[Signal]) -> None: event.payload.target
def on_fill(event: Event[Fill]) -> None: event.payload.price
bus.subscribe(EventType.SIGNAL, on_signal, by_strategy("cross"))
bus.subscribe(EventType.SIGNAL, on_signal, by_strategy("cross") & by_symbol("SPX"))
bus.subscribe(EventType.SIGNAL, on_signal, by_strategy("cross") | by_strategy("reversion"))
bus.subscribe(EventType.FILL, on_fill, by_container("a") & by_symbol("SPX"))
bus.subscribe(EventType.BAR, print)
bus.subscribe(EventType.BAR, print, by_symbol("SPX"))
"""
REFUSED = """
from admf_ray.events import EventBus, Event, EventType, Fill, Signal, System, by_container, by_strategy, by_symbol
bus = EventBus("typing")
def on_signal(event: Event[Signal]) -> None: ...
bus.subscribe(EventType.SIGNAL, print)
bus.subscribe(EventType.SIGNAL, print, by_symbol("SPX"))
bus.subscribe(EventType.SIGNAL, print, by_strategy("cross") | by_symbol("SPX"))
bus.subscribe(EventType.SIGNAL, print, ~by_strategy("cross"))
bus.subscribe(EventType.FILL, print)
bus.subscribe(EventType.FILL, print, by_strategy("cross"))
bus.subscribe(EventType.FILL, on_signal, by_container("a"))
event = Event(System("said"), "someone", "a")
event.payload = System("changed")
event.timestamp = 3
"""


@pytest.fixture(scope="module")
def checked(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """What mypy says about both, a line each."""
    folder = tmp_path_factory.mktemp("typing")
    for name, text in (("accepted", ACCEPTED), ("refused", REFUSED)):
        (folder / f"{name}.py").write_text(text)
    configuration = Path(__file__).parents[3] / "pyproject.toml"
    command = [sys.executable, "-m", "mypy", "--config-file", str(configuration), "accepted.py", "refused.py"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stdout + done.stderr
    return [line for line in done.stdout.splitlines() if ": error:" in line]


def test_what_carries_its_filter_is_accepted(checked: list[str]) -> None:
    assert [line for line in checked if line.startswith("accepted.py")] == []


def test_every_line_that_lacks_it_is_refused(checked: list[str]) -> None:
    lines = REFUSED.splitlines()
    wrong = [number for number, line in enumerate(lines, 1) if line.startswith(("bus.", "event."))]
    assert [int(line.split(":")[1]) for line in checked if line.startswith("refused.py")] == wrong
