"""`+experiment=selfcheck target=...` and `from=... to=...` on the command line."""

import json
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from admf_ray.app.selfcheck import CATEGORIES, Target, containers
from admf_ray.app.selfcheck.resources import MemoryLimits
from admf_ray.errors import ContractError
from admf_ray.launch import main
from admf_ray.testing.isolation import ISOLATION_CHECKS

YEARS = "span.start=2014-12-31"
QUICK = ("strict", "lenient", "nested", "handlers")


def selfcheck(*options: str) -> int:
    return main(["+experiment=selfcheck", *options])


def test_ten_categories_of_an_experiment_hold(elsewhere: Path, capsys, monkeypatch) -> None:
    # All checks of buses, and two hosts, are those of the slow test below.
    monkeypatch.setattr(containers, "ISOLATION_CHECKS", {name: ISOLATION_CHECKS[name] for name in QUICK})
    check, promise = CATEGORIES["scaling"]
    monkeypatch.setitem(CATEGORIES, "scaling", (partial(check, hosts=(1,)), promise))
    # This process holds all that tests before have loaded.
    check, promise = CATEGORIES["memory"]
    monkeypatch.setitem(CATEGORIES, "memory", (partial(check, limits=MemoryLimits(peak=1e4)), promise))
    assert selfcheck("target=step1", YEARS) == 0
    printed = capsys.readouterr().out
    assert "target step1: book: sma_cross; 1,007 bars of SPX" in printed
    for number, name in enumerate(CATEGORIES, start=1):
        assert f"{number}/10 {name}: holds" in printed
    assert printed.splitlines()[-1] == "selfcheck of step1: 10 categories, 0 broken"
    assert list(elsewhere.iterdir()) == []


@pytest.mark.slow
@pytest.mark.parametrize("target", ["step1", "step4", "step6", "walkforward", "several_symbols"])
def test_ten_categories_of_experiments_hold_as_they_are(elsewhere: Path, target: str) -> None:
    """In a process of their own, which holds nothing that tests before have loaded."""
    command = [sys.executable, "-m", "admf_ray.launch", "+experiment=selfcheck", f"target={target}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert f"selfcheck of {target}: 10 categories, 0 broken" in done.stdout


def test_what_is_broken_is_said_and_ends_with_1(elsewhere: Path, capsys, monkeypatch) -> None:
    def leaves_something(target: Target) -> str:
        raise ContractError("3 containers live on\nand a second line")

    monkeypatch.setitem(CATEGORIES, "cleanup", (leaves_something, "nothing is left"))
    assert selfcheck("target=step1", YEARS, "category=cleanup") == 1
    *_, summary, broken = capsys.readouterr().out.splitlines()
    assert summary == "selfcheck of step1: 1 categories, 1 broken"
    assert broken == "broken: cleanup (nothing is left): 3 containers live on"


def test_machines_get_a_record_for_each_category(elsewhere: Path, capsys) -> None:
    assert selfcheck("target=step5", YEARS, "category=event_flow", "logging=json") == 0
    records = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    (record,) = [one for one in records if one["kind"] == "SELFCHECK"]
    assert (record["target"], record["category"], record["verdict"]) == ("step5", "event_flow", "holds")
    assert record["measured"].startswith("1,007 BAR")


def test_data_that_is_chosen_is_laid_over_that_of_the_target(elsewhere: Path, capsys) -> None:
    options = ("data=synthetic", "data.synthetic.bars=300", "category=reproducibility")
    assert selfcheck("target=step3", *options) == 0
    assert "target step3: book: sma_cross; 300 bars of S0" in capsys.readouterr().out


def test_steps_are_compared_and_the_coordinator_is_named(elsewhere: Path, capsys) -> None:
    assert selfcheck("from=step1", "to=step2") == 0
    printed = capsys.readouterr().out
    assert "all steps were run by one function, admf_ray.engine.event_driven.run_books_in_containers" in printed
    assert printed.splitlines()[-1] == "steps step1 to step2: 1 ratios, at most 5x each allowed, 0 broken"


@pytest.mark.parametrize(
    ("options", "refusal"),
    [
        (["target=step11"], "target: no experiment is named 'step11' (did you mean step1?); allowed: backtest, nested"),
        (["target=report"], "target: report trades nothing; allowed: backtest, nested"),
        (["target=step1", "from=step1"], "target: step1, and from or to; allowed: one of them"),
        (["target=step1", "category=kernels"], "category: kernels has no target; allowed with one: isolation, event_f"),
        (["category=memory"], "category: memory needs a target; allowed: kernels, isolation, or target=step1"),
        (["target=step1", "span.start=2018-12-20"], "allowed: 40 or more to check anything on"),
        (["from=step1"], "to: which step? allowed: step1, step2, step3, step4, step5, step6, all"),
        (["to=step2"], "from: which step? allowed: step1, step2, step3, step4, step5, step6"),
        (["from=nested", "to=all"], "from: no step is named 'nested'"),
        (["from=step1", "to=step9"], "to: no step is named 'step9'"),
        (["from=step3", "to=step2"], "to: step2 does not come after step3; allowed: step4, step5, step6"),
        (["from=step6", "to=all"], "to: all does not come after step6; allowed: no step does"),
        (["from=step1", "to=all", "category=memory"], "category: memory, and from or to; allowed: one of them"),
    ],
    ids=[str(number) for number in range(13)],
)
def test_options_that_do_not_fit_are_refused(elsewhere: Path, capsys, options: list[str], refusal: str) -> None:
    assert selfcheck(*options) == 2
    assert refusal in capsys.readouterr().err
