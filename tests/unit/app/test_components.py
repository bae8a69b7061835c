import json
from pathlib import Path

import pytest

from admf_ray.classifiers import CLASSIFIERS
from admf_ray.containers import COMPONENTS
from admf_ray.indicators import INDICATORS
from admf_ray.launch import main
from admf_ray.strategies import STRATEGIES


def test_every_entry_is_listed(elsewhere, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["+experiment=components"]) == 0
    printed = capsys.readouterr().out
    for entry in [*INDICATORS, *CLASSIFIERS, *STRATEGIES, *COMPONENTS]:
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


def test_containers_of_all_books_are_drawn(elsewhere, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["+experiment=step5", "print=containers"]) == 0
    printed = capsys.readouterr().out
    assert "backtest.careful [backtest]" in printed
    assert "backtest.bold.sma_cross [backtest]" in printed
    assert main(["+experiment=step5", "print=containers", "logging=json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["kind"] == "CONTAINERS"
    assert [child["container_id"] for child in record["children"]] == ["backtest.careful", "backtest.bold"]
    assert list(elsewhere.iterdir()) == []


PLUGIN = """
from admf_ray.plugins import component


@component()
class LastPrice:
    "Knows the last price."

    def __init__(self, bars: tuple[float, ...], scale: float = 1.0) -> None:
        self.bars, self.scale = bars, scale

    def reset(self) -> None:
        self.price = 0.0
"""


FAMILIES = ("strategies", "classifiers", "ensembles", "indicators", "sizings", "components")


@pytest.mark.parametrize("family", FAMILIES)
def test_one_family_is_listed_alone(elsewhere, capsys: pytest.CaptureFixture[str], family: str) -> None:
    assert main(["+experiment=components", f"protocol={family.upper()}", "logging=json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert set(FAMILIES) & set(record) == {family}
    assert main(["+experiment=components", f"protocol={family}"]) == 0
    printed = capsys.readouterr().out.splitlines()
    assert [line for line in printed if not line.startswith(" ")] == [family]
    assert len([line for line in printed if line.startswith("  ") and line[2] != " "]) == len(record[family])


def test_components_are_listed_with_what_they_take_and_do(elsewhere, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["+experiment=components", "protocol=components"]) == 0
    printed = capsys.readouterr().out.splitlines()
    at = printed.index("  feed: Initializing, Resettable; takes no parameters; hears nothing; tells BAR")
    assert printed[at + 1].startswith("      Publishes the bars of a series")


def test_a_protocol_lists_the_components_that_take_part_in_it(
    elsewhere: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (elsewhere / "mine.py").write_text(PLUGIN)
    assert main(["+experiment=components", "protocol=resettable", "plugins=[mine.py]"]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith("components: Resettable\n")
    assert (
        "  last_price: Resettable; takes bars: tuple[float, ...], scale: float = 1.0\n      Knows the last price.\n"
    ) in printed
    assert main(["+experiment=components", "protocol=Resettable"]) == 0
    assert "last_price" not in capsys.readouterr().out
    assert main(["+experiment=components", "protocol=Disposing"]) == 0
    assert capsys.readouterr().out == "components: Disposing\n  none\n"


def test_an_unknown_protocol_is_refused_with_what_is_allowed(elsewhere, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["+experiment=components", "protocol=Resetable"]) == 2
    assert capsys.readouterr().err == (
        "error: protocol: no family or component protocol is named 'Resetable' (did you mean Resettable?); allowed: "
        "strategies, classifiers, ensembles, indicators, sizings, components, Initializing, Starting, Stopping, "
        "Resettable, Disposing\n"
    )


def test_two_components_of_one_name_are_refused_with_their_lines(
    elsewhere: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (elsewhere / "mine.py").write_text(PLUGIN.replace("component()", 'component("risk")'))
    assert main(["+experiment=components", "plugins=[mine.py]"]) == 2
    assert "two entries of family component are named 'risk': " in (error := capsys.readouterr().err)
    assert "mine.py:5 and admf_ray itself" in error


def test_the_contracts_of_kernels_are_not_asked_of_components(
    elsewhere: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (elsewhere / "mine.py").write_text(PLUGIN)
    assert main(["+experiment=selfcheck", "plugins=[mine.py]"]) == 0
    assert "kernels: 0 entries, 0 broken checks" in capsys.readouterr().out
