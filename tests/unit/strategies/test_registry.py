"""What an entry of the registry refuses."""

from dataclasses import replace

import pytest

from admf_ray.errors import ConfigError
from admf_ray.strategies import STRATEGIES

PAIRS = STRATEGIES["pairs_zscore"]


def test_a_panel_strategy_refuses_another_number_of_symbols() -> None:
    PAIRS.check_symbols(("A", "B"))
    with pytest.raises(ConfigError, match="trades 2 symbols together and the data has 3; allowed: data of 2"):
        PAIRS.check_symbols(("A", "B", "C"))


def test_a_strategy_that_decides_each_symbol_by_itself_takes_any_number() -> None:
    for count in (1, 3):
        STRATEGIES["sma_cross"].check_symbols(("A", "B", "C")[:count])


@pytest.mark.parametrize(("scope", "symbols"), [("symbol", 2), ("panel", 0)])
def test_only_panels_decide_several_symbols_together(scope, symbols: int) -> None:
    with pytest.raises(ConfigError, match=f"symbols={symbols}; allowed: from 1 on, of scope panel"):
        replace(PAIRS, scope=scope, symbols=symbols)
