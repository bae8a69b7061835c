"""Bars of an index without the history that its source asks of strategies."""

from dataclasses import replace

import pytest

from admf_ray import Bars


@pytest.fixture(scope="session")
def index(sp500: Bars) -> Bars:
    """The S&P 500, decided from its first bar on."""
    return replace(sp500, min_history=0)
