import json

import pytest

from admf_ray.indicators import INDICATORS
from admf_ray.launch import main
from admf_ray.strategies import STRATEGIES


def test_every_entry_is_listed(elsewhere, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["+experiment=components"]) == 0
    printed = capsys.readouterr().out
    for entry in [*INDICATORS, *STRATEGIES]:
        assert entry.name in printed
    assert main(["+experiment=components", "logging=json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["indicators"] == INDICATORS.names()
    assert list(elsewhere.iterdir()) == []


def test_fifty_outputs_and_more_are_there() -> None:
    assert sum(len(entry.outputs) for entry in INDICATORS) >= 50
    assert {entry.pattern for entry in INDICATORS} == {"stateless", "rolling", "cumulative", "recursive"}
