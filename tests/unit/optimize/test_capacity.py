"""Searches that cannot fit are refused before they start, with the arithmetic."""

import re
from dataclasses import replace

import numpy as np
import psutil
import pytest

from admf_ray.core.bars import FIELDS
from admf_ray.errors import CapacityError
from admf_ray.optimize import Adaptive, DrawnRange, check_memory
from admf_ray.portfolio.metrics import METRICS
from tests.series import daily_bars, single_search


def test_a_search_beyond_the_free_memory_is_refused_with_the_arithmetic() -> None:
    search = single_search(daily_bars([1.0, 2.0, 3.0]), "price_threshold", {"threshold": 2.0})
    check_memory(search, spans=1_000)
    # The best candidate x 10^15 spans x 13 metrics x 8 bytes = 104,000,000 GB
    message = "1 candidates of 64 B, the best 1 of 1000000000000000 spans x 13 metrics of 8 B"
    with pytest.raises(
        CapacityError, match=rf"{re.escape(message)}, and a hub of 5 x 3 of 8 B take 104000000.0 GB; .* are free"
    ):
        check_memory(search, spans=10**15)


def test_a_host_that_cannot_hold_its_part_is_refused_with_the_arithmetic() -> None:
    assert len(METRICS) == 13
    search = single_search(daily_bars([1.0, 2.0, 3.0]), "price_threshold", {"threshold": 2.0})
    check_memory(search, spans=1_000, hosts=1, hard=141.0)
    # 140,000,000 + 1 x 3 x 8 + 2 x 1 x 100,000 x 13 x 8 = 160,800,024 bytes
    message = (
        "cluster.memory.hard: a host takes 140 MB by itself, 1 rows x 3 bars of 8 B, and twice 1 candidates x 100000 "
        "spans x 13 metrics of 8 B, together 161 MB; 160.5 MB are allowed"
    )
    check_memory(search, spans=100_000, hosts=1, hard=161.0)
    with pytest.raises(CapacityError, match=re.escape(message)) as caught:
        check_memory(search, spans=100_000, hosts=1, hard=160.5)
    assert caught.value.exit_code == 2


def test_hosts_that_do_not_fit_the_machine_together_are_refused_with_the_arithmetic() -> None:
    search = single_search(daily_bars([1.0, 2.0, 3.0]), "price_threshold", {"threshold": 2.0})
    most = psutil.virtual_memory().available // 140_000_000
    check_memory(search, spans=1, hosts=most // 2)
    with pytest.raises(CapacityError, match=rf"cluster.workers: {2 * most} hosts x 140 MB \(140 MB by itself, .* GB; "):
        check_memory(search, spans=1, hosts=2 * most)


def test_studies_take_the_series_of_every_winner() -> None:
    search = single_search(daily_bars(np.linspace(1.0, 2.0, 100)), "sma_cross", {"fast": 5.0, "slow": 20.0})
    assert search.plan.height == len(FIELDS) + 2
    for adaptive, rows in ((None, 7), (Adaptive("tpe", 1, 1, 0, {"fast": DrawnRange(2, 10)}), 5 + 2 * 10**15)):
        with pytest.raises(CapacityError, match=rf"a hub of {rows:,} x 100 of 8 B"):
            check_memory(replace(search, adaptive=adaptive), spans=10**15)


def test_longer_series_take_more_of_a_host() -> None:
    # One row of targets: 10^6 x 8 bytes = 8 MB.
    search = single_search(daily_bars([1.0] * 10**6), "price_threshold", {"threshold": 2.0})
    check_memory(search, spans=1, hard=148.1)
    with pytest.raises(CapacityError, match="1 rows x 1,000,000 bars of 8 B, .* together 148 MB; 147.9 MB are allowed"):
        check_memory(search, spans=1, hard=147.9)
    assert search.plan.height == len(FIELDS)
