"""Targets with something wrong in them."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from admf_ray.app.configuration import compose_settings
from admf_ray.app.selfcheck import Target, assemble_target
from admf_ray.plugins import activate, find_plugins

SMALL = [
    "data=synthetic",
    "data.calendar=null",
    "data.synthetic.bars=400",
    "data.synthetic.kind=sine",
    "run_root=null",
    "cluster=serial",
]
CROSSING = ["strategy.params.fast=5", "strategy.params.slow=20"]

SHARED = """
from admf_ray.plugins import strategy


@strategy()
class planted:
    count = 0

    def __init__(self):
        type(self).count = 0

    def on_bar(self, view):
        type(self).count += 1
        return float(type(self).count % 20 < 10)
"""
"""A strategy whose instances share what each of them should have for itself."""

COUNTING = """
from admf_ray.plugins import strategy

MADE = []


@strategy()
class planted:
    def __init__(self):
        MADE.append(self)

    def on_bar(self, view):
        return float((view.bar + len(MADE)) % 20 < 10)
"""
"""A strategy that counts how often it was made, in the module."""

OF_PLACE = """
import os

from admf_ray.plugins import strategy


@strategy()
def planted(view):
    return float(view.bar % 20 < 10 and os.environ.get("POLARS_MAX_THREADS") == "1")
"""
"""A strategy that depends on where it runs: hosts have that variable."""


def small_target(*options: str, experiment: str = "step1") -> Target:
    """Give an experiment on a sine, where averages cross often."""
    return assemble_target(experiment, compose_settings([f"+experiment={experiment}", *SMALL, *CROSSING, *options]))


@contextmanager
def target_of(code: str, folder: Path) -> Iterator[Target]:
    """Give a backtest of the strategy ``planted`` of some code, registered meanwhile."""
    file = folder / "planted_strategy.py"
    file.write_text(code)
    activate(find_plugins([str(file)]))
    try:
        options = ["strategy=custom", "strategy.name=planted", "engine=event_driven"]
        yield assemble_target("planted", compose_settings(["+experiment=backtest", *SMALL, *options]))
    finally:
        activate(())
