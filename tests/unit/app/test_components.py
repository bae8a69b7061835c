import json

import pytest

from admf_ray.classifiers import CLASSIFIERS
from admf_ray.indicators import INDICATORS
from admf_ray.launch import main
from admf_ray.strategies import STRATEGIES


def test_every_entry_is_listed(elsewhere, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["+experiment=components"]) == 0
    printed = capsys.readouterr().out
    for entry in [*INDICATORS, *CLASSIFIERS, *STRATEGIES]:
        assert entry.name in printed
    assert (
        "  volatility: period 20 (2 to 100000), states 3 (2 to 5); labels low, medium, high; "
        "reads volatility(close,{period}); fitted\n"
    ) in printed
    assert main(["+experiment=components", "logging=json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["indicators"] == INDICATORS.names()
    assert record["classifiers"] == CLASSIFIERS.names()
    assert list(elsewhere.iterdir()) == []


def test_fifty_outputs_and_more_are_there() -> None:
    assert sum(len(entry.outputs) for entry in INDICATORS) >= 50
    assert {entry.pattern for entry in INDICATORS} == {"stateless", "rolling", "cumulative", "recursive"}


def test_containers_are_drawn_for_what_trades(elsewhere, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["+experiment=walkforward", "print=containers", "strategy=ema_cross"]) == 0
    printed = capsys.readouterr().out
    assert "├── on SIGNAL where strategy=ema_cross -> risk: Risk.on_signal" in printed
    assert "└── on FILL where container=backtest -> portfolio: PortfolioBook.on_fill" in printed
    assert main(["+experiment=check_data", "print=containers"]) == 2
    assert "check_data runs no containers; allowed with: backtest, sweep, walkforward" in capsys.readouterr().err
    assert list(elsewhere.iterdir()) == []
