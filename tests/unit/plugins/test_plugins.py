"""Plugins: found, loaded, refused with file and line, never stale."""

import importlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import admf_ray
from admf_ray.classifiers import CLASSIFIERS
from admf_ray.errors import ConfigError
from admf_ray.indicators import INDICATORS
from admf_ray.launch import main
from admf_ray.plugins import activate, active_plugins, find_plugins
from admf_ray.risk.sizing import SIZINGS
from admf_ray.strategies import STRATEGIES

HEAD = "import math\n\nfrom admf_ray.plugins import Parameter, indicator, sizing, strategy\n\n\n"
MOMENTUM = (
    HEAD
    + """@strategy(inputs=("close",), parameters=(Parameter("lag", 120, 1, 500),), warm_up=lambda given: int(given[0]))
def momentum(matrix, rows, session, params, state, start, stop, out):
    lag = int(params[0])
    for s in range(rows.shape[0]):
        for t in range(start, stop):
            now = matrix[rows[s, 0], t]
            out[s, t] = math.nan
            if t >= lag and not math.isnan(now - matrix[rows[s, 0], t - lag]):
                out[s, t] = 1.0 if now > matrix[rows[s, 0], t - lag] else 0.0
"""
)
HALF = '''

@sizing
def half(target, size, close, equity):
    """Half of what the size asks for."""
    return 0.5 * target * size * equity / close
'''
MIDPOINT = """

@indicator(pattern="stateless", inputs=("high", "low"), warm_up=0)
def midpoint(matrix, rows, session, params, state, start, stop, out):
    for t in range(start, stop):
        out[0, t] = 0.5 * (matrix[rows[0], t] + matrix[rows[1], t])


@strategy(inputs=("close", "midpoint(high,low)"), warm_up=0)
def above_midpoint(matrix, rows, session, params, state, start, stop, out):
    for s in range(rows.shape[0]):
        for t in range(start, stop):
            gap = matrix[rows[s, 0], t] - matrix[rows[s, 1], t]
            out[s, t] = math.nan if math.isnan(gap) else 1.0 if gap > 0 else 0.0
"""


@pytest.fixture(autouse=True)
def _none_left() -> Iterator[None]:
    yield
    activate(())


def written(folder: Path, source: str, name: str = "mine.py") -> str:
    (folder / name).write_text(source)
    return str(folder / name)


def use(*names: str) -> None:
    activate(find_plugins(names))


def test_a_plugin_brings_strategies_indicators_and_sizings(tmp_path: Path, sp500) -> None:
    path = written(tmp_path, MOMENTUM + HALF + MIDPOINT)
    whole = admf_ray.backtest(sp500, "above_midpoint", plugins=[path])
    halved = admf_ray.backtest(sp500, "above_midpoint", plugins=[path], risk={"sizing": "half"})
    assert len(whole.trades) == len(halved.trades) > 100
    assert halved.fills["quantity"][0] == whole.fills["quantity"][0] // 2
    assert {"momentum", "above_midpoint"} <= set(STRATEGIES.names())
    assert "midpoint" in INDICATORS
    assert "half" in SIZINGS


def test_without_it_its_names_are_unknown_again(tmp_path: Path, sp500) -> None:
    admf_ray.backtest(sp500, "momentum", plugins=[written(tmp_path, MOMENTUM)])
    with pytest.raises(ConfigError, match="no strategy is named 'momentum'"):
        admf_ray.backtest(sp500, "momentum")
    assert active_plugins() == ()


def test_an_edited_plugin_is_never_served_from_a_cache(tmp_path: Path, sp500) -> None:
    def targets() -> float:
        run = admf_ray.backtest(sp500, "steady", plugins=[path], risk={"lot": 0})
        return float(run.equity["position"][300] * sp500.close[0, 300] / run.equity["equity"][300])

    source = HEAD + (
        '@strategy(inputs=("close",), warm_up=0)\n'
        "def steady(matrix, rows, session, params, state, start, stop, out):\n"
        "    for t in range(start, stop):\n"
        "        out[0, t] = 0.5 if t == 200 else math.nan\n"
    )
    path = written(tmp_path, source)
    before = targets()
    # Of the same length and within the same second: neither size nor time tells.
    written(tmp_path, source.replace("0.5 if", "0.9 if"))
    assert targets() > 1.2 * before
    written(tmp_path, source)
    assert targets() == before


def test_an_edited_plugin_is_not_stale_in_a_new_process(elsewhere: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["+experiment=sweep", "strategy=custom", "strategy.name=momentum", "plugins=[mine.py]"]
    command += ["strategy.space.lag=[20,40]", "cluster.workers=2", "report=none"]
    counts = []
    for source in (MOMENTUM, MOMENTUM.replace("now > ", "now < "), MOMENTUM):
        written(elsewhere, source)
        # The hosts are new processes: they load what was compiled before, or compile.
        assert main(command) == 0
        counts.append(admf_ray.load_run("runs/latest").trials["sharpe"].to_list())
    assert counts[0] == counts[2] != counts[1]
    capsys.readouterr()


def test_numbers_from_elsewhere_are_never_older_than_the_run(elsewhere: Path) -> None:
    """numba freezes globals into a kernel, also those that a variable of the environment sets."""
    source = HEAD.replace("import math\n", "import math\nimport os\n") + (
        "LEVEL = float(os.environ['LEVEL'])\n\n\n@sizing\ndef level(target, size, close, equity):\n    return LEVEL\n"
    )
    written(elsewhere, source)
    program = "from admf_ray.plugins import *; activate(find_plugins(['mine.py']))\n"
    program += "from admf_ray.risk.sizing import SIZINGS; print(SIZINGS['level'].kernel(1.0, 1.0, 1.0, 1.0))"
    for level in ("0.25", "0.75"):
        command = [sys.executable, "-c", program]
        done = subprocess.run(command, env=os.environ | {"LEVEL": level}, capture_output=True, text=True, check=True)
        assert done.stdout.strip() == level


def test_workers_and_driver_agree_on_a_plugin(elsewhere: Path) -> None:
    written(elsewhere, MOMENTUM + HALF)
    command = ["+experiment=walkforward", "strategy=custom", "strategy.name=momentum", "plugins=[mine.py]"]
    command += ["strategy.space.lag={low:20,high:300,step:5}", "risk.sizing=half", "report=none"]
    assert main([*command, "cluster=serial", "run_name=serial"]) == 0
    assert main([*command, "cluster.workers=2", "run_name=two"]) == 0
    serial, two = (admf_ray.load_run(f"runs/{name}") for name in ("serial", "two"))
    assert serial.fingerprints() == two.fingerprints()
    assert set(two.timings["host"]) <= {"host-0", "host-1"}


def test_a_winner_runs_by_itself_with_the_plugin_as_it_was(elsewhere: Path) -> None:
    written(elsewhere, MOMENTUM)
    command = ["+experiment=walkforward", "strategy=custom", "strategy.name=momentum", "plugins=[mine.py]"]
    assert main([*command, "strategy.space.lag=[20,40]", "cluster=serial", "run_name=a", "report=none"]) == 0
    (elsewhere / "mine.py").write_text("1 / 0\n")
    assert main(["--config-dir", "runs/a/best", "--config-name", "w03", "run_name=b", "report=none"]) == 0
    first, alone = admf_ray.load_run("runs/a"), admf_ray.load_run("runs/b")
    assert alone.summary["metrics"]["sharpe"] == first.windows["test_sharpe"][3]
    assert (elsewhere / "runs/a/plugins/mine.py").read_text() == MOMENTUM


BROKEN = {
    "syntax": (HEAD + "def broken(:\n", r"mine.py:6: "),
    "import": (HEAD + "import there_is_no_such_thing\n", r"mine.py:6: ModuleNotFoundError: No module named 'there_is"),
    "relative import": ("from . import other\n", r"mine.py:1: a relative import; allowed: a plugin is one file"),
    "import of a file beside": ("import math\nimport beside\n", r"mine.py:2: imports 'beside' from .*beside.py, which"),
    "import of a folder beside": (
        "import math\nfrom folder.beside import x\n",
        r"mine.py:2: imports 'folder' from .*folder,",
    ),
    "warm-up of no number": (
        MOMENTUM.replace("int(given[0])", "given[3]"),
        r"mine.py:6: IndexError: tuple index out of range",
    ),
    "warm-up below 0": (MOMENTUM.replace("int(given[0])", "-1"), r"mine.py:6: warm_up is -1; allowed: a whole number"),
    "exit": (HEAD + "raise SystemExit(3)\n", r"mine.py:6: SystemExit: 3"),
    "bounds of text": (MOMENTUM.replace("1, 500", "'a', 500"), r"mine.py:6: parameter 'lag': bound 'a' is no number"),
    "bounds the wrong way": (
        MOMENTUM.replace("1, 500", "500, 1"),
        r"mine.py:6: parameter 'lag': low 500 is above high",
    ),
    "default out of bounds": (
        MOMENTUM.replace("120, 1", "120, 200"),
        r"mine.py:6: parameter 'lag': default: 120 is out of",
    ),
    "two parameters of one name": (
        MOMENTUM.replace(
            '(Parameter("lag", 120, 1, 500),)', '(Parameter("lag", 9, 1, 50), Parameter("lag", 9, 1, 50))'
        ),
        r"mine.py:6: 'momentum' has two parameters that are named 'lag'",
    ),
    "inputs that are no tuple": (
        MOMENTUM.replace('("close",)', '"close"'),
        r"mine.py:6: inputs is 'close'; allowed: texts",
    ),
    "unknown indicator": (
        MOMENTUM.replace('("close",)', '("smaa(close,20)",)'),
        r"mine.py:6: inputs of 'momentum': no indicator is named 'smaa' \(did you mean sma\?\)",
    ),
    "no key": (
        MOMENTUM.replace('("close",)', '("sma(close",)'),
        r"mine.py:6: inputs of 'momentum': indicator key 'sma\(cl",
    ),
    "unknown constraint": (
        MOMENTUM.replace('("close",)', '("close",), constraints=("lga > 3",)'),
        r"mine.py:6: constraint 'lga > 3': no parameter is named 'lga' \(did you mean lag\?\)",
    ),
    "NUL": ("x = 1\n\0\n", r"mine.py:1: "),
    "exception": (HEAD + "raise ValueError('no way')\n", r"mine.py:6: ValueError: no way"),
    "signature": (
        HEAD + "@sizing\ndef half(target, size):\n    return target\n",
        r"mine.py:6: sizing 'half' takes 2 arguments \(target, size\); allowed: 4 \(target, size, close, equity\)",
    ),
    "kernel": (
        MOMENTUM.replace("lag = int(params[0])", "lag = undefined_name"),
        r"mine.py:8: the kernel does not compile: .*undefined_name",
    ),
    "kernel of wrong types": (
        MOMENTUM.replace("lag = int(params[0])", "lag = int('x' + 3)"),
        r"mine.py:8: the kernel does not compile: ",
    ),
    "inputs": (MOMENTUM.replace('("close",)', '("sma(close,{n})",)'), r"mine.py:\d+: inputs of 'momentum': no param"),
    "nothing": (
        "x = 1\n",
        r"mine.py registers nothing; allowed: what is decorated with strategy, indicator, sizing or",
    ),
    "name of ours": (
        MOMENTUM.replace("momentum", "sma_cross"),
        r"named 'sma_cross': .*mine.py:\d+ and admf_ray itself",
    ),
    "one name twice": (MOMENTUM + MOMENTUM, r"two entries of family strategy are named 'momentum': .*:\d+ and .*:\d+;"),
}


@pytest.mark.parametrize(("source", "message"), BROKEN.values(), ids=BROKEN.keys())
def test_what_is_wrong_in_a_plugin_is_told_with_file_and_line(
    elsewhere: Path, monkeypatch: pytest.MonkeyPatch, source: str, message: str
) -> None:
    monkeypatch.syspath_prepend(elsewhere)
    written(elsewhere, "", "beside.py")
    (elsewhere / "folder").mkdir()
    written(elsewhere / "folder", "x = 1\n", "beside.py")
    with pytest.raises(ConfigError, match=message):
        use(written(elsewhere, source))
    assert active_plugins() == ()
    assert "momentum" not in STRATEGIES


def test_a_byte_order_mark_is_no_part_of_the_source(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_bytes(b"\xef\xbb\xbf" + MOMENTUM.replace("\n", "\r\n").encode())
    use(str(tmp_path / "mine.py"))
    assert "momentum" in STRATEGIES


def test_what_a_plugin_prints_is_no_result(elsewhere: Path, capsys: pytest.CaptureFixture[str]) -> None:
    written(elsewhere, "print('hello')\n" + MOMENTUM)
    command = ["+experiment=backtest", "strategy=custom", "strategy.name=momentum", "plugins=[mine.py]", "report=none"]
    assert main([*command, "logging=json"]) == 0
    captured = capsys.readouterr()
    assert "hello" not in captured.out
    assert "hello" in captured.err


def test_two_plugins_with_one_entry_are_refused_with_both_lines(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"named 'momentum': .*b.py:6 and .*a.py:6; allowed: a name that is free"):
        use(written(tmp_path, MOMENTUM, "a.py"), written(tmp_path, MOMENTUM, "b.py"))
    assert "momentum" not in STRATEGIES


def test_two_files_of_one_name_are_refused(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    with pytest.raises(ConfigError, match="have one name; allowed: files of different names"):
        use(written(tmp_path, MOMENTUM), written(tmp_path / "other", HEAD + HALF))


def test_a_plugin_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"plugins: '.*none.py' cannot be read: .*No such file"):
        use(str(tmp_path / "none.py"))
    with pytest.raises(ConfigError, match=r"'no_such_module' is no file, module or entry point; allowed: a path that"):
        use("no_such_module")


def test_modules_and_entry_points_are_plugins_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    written(tmp_path, MOMENTUM, "module_plugin.py")
    use("module_plugin")
    assert "momentum" in STRATEGIES
    info = tmp_path / "some_package-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: some-package\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[admf_ray.plugins]\noffered = offered_plugin\n")
    written(tmp_path, MOMENTUM.replace("momentum", "offered_momentum"), "offered_plugin.py")
    importlib.invalidate_caches()
    use("offered")
    assert "offered_momentum" in STRATEGIES
    assert "momentum" not in STRATEGIES


def test_a_wrong_plugin_ends_with_2_and_leaves_nothing(elsewhere: Path, capsys: pytest.CaptureFixture[str]) -> None:
    written(elsewhere, "1 / 0\n")
    assert main(["+experiment=walkforward", "plugins=[mine.py]"]) == 2
    assert "mine.py:1: ZeroDivisionError: division by zero" in capsys.readouterr().err
    assert [path.name for path in elsewhere.iterdir()] == ["mine.py"]


def test_selfcheck_holds_for_a_sound_plugin_and_names_what_is_broken(
    elsewhere: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    written(elsewhere, MOMENTUM + HALF + MIDPOINT)
    assert main(["+experiment=selfcheck", "plugins=[mine.py]"]) == 0
    assert "4 entries, 0 broken checks" in capsys.readouterr().out
    seer = MOMENTUM.replace("now = matrix[rows[s, 0], t]", "now = matrix[rows[s, 0], min(t + 1, matrix.shape[1] - 1)]")
    written(elsewhere, seer + HALF.replace("0.5 * target", "0.5 - target"))
    assert main(["+experiment=selfcheck", "plugins=[mine.py]"]) == 1
    printed = capsys.readouterr().out
    assert "broken: strategy momentum: prefix (outputs up to a bar do not change when later bars do" in printed
    assert "broken: sizing half: bounds" in printed


KERNEL = """@strategy(inputs=("close",), warm_up=0, state_size=1)
def sought(matrix, rows, session, params, state, start, stop, out):
    close = matrix[rows[0, 0]]
    for t in range(start, stop):
        out[0, t] = close[t] - close[t]
        if not math.isnan(close[t]):
            CHANGE
"""
UNSOUND = {
    "length of the series": (
        "out[0, t] = 1.0 if t < close.shape[0] // 2 else 0.0",
        "prefix",
        "changes when the series ends",
    ),
    "session of the next bar": (
        "out[0, t] = 1.0 if t + 1 < session.shape[0] and session[t + 1] > session[t] else 0.0",
        "prefix",
        "it looks ahead",
    ),
    "beyond the state": ("state[3] = 1.0", "chunks", "it writes beyond its state, which is said to be 1 numbers"),
    "beyond the piece": ("out[0, min(t + 1, close.shape[0] - 1)] = 0.0", "chunks", "it writes beyond them"),
    "what was not written": ("out[0, t] = 1.0 if out[0, min(t + 1, stop - 1)] > 0 else 0.0", "written", "run again"),
    "too large": ("out[0, t] = 1.5", "bounds", "a target is 1.5"),
}


@pytest.mark.parametrize(("change", "check", "message"), UNSOUND.values(), ids=UNSOUND.keys())
def test_selfcheck_finds_what_is_unsound(elsewhere: Path, capsys, change: str, check: str, message: str) -> None:
    written(elsewhere, HEAD + KERNEL.replace("CHANGE", change))
    assert main(["+experiment=selfcheck", "plugins=[mine.py]"]) == 1
    told = [
        line for line in capsys.readouterr().out.splitlines() if line.startswith(f"broken: strategy sought: {check} ")
    ]
    assert len(told) == 1
    assert message in told[0]


def test_selfcheck_outlives_a_long_warm_up(elsewhere: Path, capsys) -> None:
    written(elsewhere, MOMENTUM.replace("120, 1, 500", "2000, 1500, 3000"))
    assert main(["+experiment=selfcheck", "plugins=[mine.py]"]) == 0


def test_selfcheck_draws_parameters_that_obey_the_constraints(elsewhere: Path, capsys) -> None:
    written(
        elsewhere,
        HEAD
        + """@strategy(
    inputs=("sma(close,{fast})", "sma(close,{slow})"),
    parameters=(Parameter("fast", 5, 1, 500), Parameter("slow", 20, 2, 500)),
    constraints=("fast < slow",),
    warm_up=lambda given: int(given[1]) - 1,
)
def cross(matrix, rows, session, params, state, start, stop, out):
    for s in range(rows.shape[0]):
        for t in range(start, stop):
            gap = matrix[rows[s, 0], t] - matrix[rows[s, 1], t]
            out[s, t] = math.nan if math.isnan(gap) else 1.0 if gap > 0 else 0.0
""",
    )
    assert main(["+experiment=selfcheck", "plugins=[mine.py]"]) == 0
    assert "1 entries, 0 broken checks" in capsys.readouterr().out


def test_selfcheck_tells_what_the_functions_of_an_entry_raise(elsewhere: Path, capsys) -> None:
    source = MOMENTUM.replace("int(given[0])", "int(given[0]) if given[0] == 120 else given[3]")
    written(elsewhere, source)
    assert main(["+experiment=selfcheck", "plugins=[mine.py]"]) == 1
    assert "broken: strategy momentum: warm_up" in (printed := capsys.readouterr().out)
    assert "IndexError: tuple index out of range" in printed


def test_selfcheck_of_the_platform_holds(elsewhere: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["+experiment=selfcheck", "category=kernels"]) == 0
    entries = len([*INDICATORS, *CLASSIFIERS, *STRATEGIES, *SIZINGS])
    assert f"{entries} entries, 0 broken checks" in capsys.readouterr().out


def test_loading_leaves_no_module_behind_when_it_fails(tmp_path: Path) -> None:
    before = set(sys.modules)
    with pytest.raises(ConfigError):
        use(written(tmp_path, HEAD + "raise ValueError('no')\n"))
    assert not [name for name in set(sys.modules) - before if name.startswith("admf_ray_plugin_")]
