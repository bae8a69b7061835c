"""Set up before any test module is imported: Ray without tokens and without hurry, Hypothesis profiles."""

import os

os.environ["RAY_AUTH_MODE"] = "disabled"
# What ended an actor may be known late.
os.environ["RAY_timeout_ms_task_wait_for_death_info"] = "30000"  # noqa: SIM112  (as Ray reads it)

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from admf_ray import Bars, load_bars

settings.register_profile("default", max_examples=100, deadline=None, derandomize=True)
settings.register_profile(
    "slow", max_examples=25_000, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
settings.load_profile("default")


@pytest.fixture(scope="session")
def sp500() -> Bars:
    """5,031 daily bars of the S&P 500, 1999 to 2018."""
    return load_bars("sp500")


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty working directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path
