"""`+experiment=selfcheck`: categories, verdicts, and what happens where a promise is broken."""

import json
from pathlib import Path

import pytest

from admf_ray.app.commands import selfcheck
from admf_ray.events import Event, EventBus
from admf_ray.launch import main
from admf_ray.testing import isolation


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> dict[str, object]:
    """Two of the checks of isolation, which take no time."""
    chosen = {name: isolation.ISOLATION_CHECKS[name] for name in ("threads", "tasks")}
    monkeypatch.setattr(selfcheck, "ISOLATION_CHECKS", chosen)
    return chosen


def test_isolation_is_checked_with_a_verdict_and_a_figure_each(
    elsewhere: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["+experiment=selfcheck", "category=isolation"]) == 0
    printed = capsys.readouterr().out
    assert "isolation: 9 checks, 0 broken" in printed
    assert "1,000 live containers take" in printed
    assert "10,000 containers created and disposed of, none left" in printed
    assert "kernels" not in printed
    assert list(elsewhere.iterdir()) == []


@pytest.mark.usefixtures("few")
def test_a_leak_is_named_and_ends_with_1(
    elsewhere: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    last: list[EventBus] = []

    class Leaking(EventBus):
        def publish(self, event: Event) -> None:
            super().publish(event)
            if last and not last[0].is_closed:
                last[0].receive(event)
            last[:] = [self]

    monkeypatch.setattr(isolation, "EventBus", Leaking)
    assert main(["+experiment=selfcheck", "category=isolation"]) == 1
    printed = capsys.readouterr().out
    assert "broken: isolation: tasks (200 containers that publish at once from asyncio tasks hear themselves" in printed


def test_machines_get_a_record_for_each_check(
    elsewhere: Path, capsys: pytest.CaptureFixture[str], few: dict[str, object]
) -> None:
    assert main(["+experiment=selfcheck", "category=isolation", "logging=json"]) == 0
    records = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [record["name"] for record in records if record["kind"] == "SELFCHECK"] == list(few)
    assert {record["verdict"] for record in records if record["kind"] == "SELFCHECK"} == {"holds"}


def test_an_unknown_category_is_refused(elsewhere: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["+experiment=selfcheck", "category=isolaton"]) == 2
    assert (
        "category: 'isolaton' is not allowed; allowed: 'kernels', 'isolation', 'event_flow'" in capsys.readouterr().err
    )
