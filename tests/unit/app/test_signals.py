"""Signals stop whatever is done, from the first moment on."""

import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest

from admf_ray.app.signals import stopped_by_signals
from admf_ray.launch import main


def test_an_interrupt_that_is_swallowed_comes_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("admf_ray.app.signals._AGAIN_SECONDS", 2.5)
    said = []
    with suppress(KeyboardInterrupt), stopped_by_signals():
        with suppress(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGTERM)
        said.append("swallowed")
        time.sleep(60)
        said.append("lost")
    assert said == ["swallowed"]


@pytest.mark.parametrize("is_ignored", [False, True])
def test_a_terminal_that_closes_stops_it_unless_that_is_ignored(is_ignored: bool) -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN if is_ignored else signal.SIG_DFL)
    said = []
    try:
        with suppress(KeyboardInterrupt), stopped_by_signals():
            os.kill(os.getpid(), signal.SIGHUP)
            said.append("went on")
    finally:
        signal.signal(signal.SIGHUP, before)
    assert said == ["went on"] * is_ignored


def test_what_ray_makes_of_a_signal_while_it_starts_is_an_interrupt() -> None:
    with pytest.raises(KeyboardInterrupt), stopped_by_signals():
        sys.exit(signal.SIGTERM)
    with pytest.raises(SystemExit), stopped_by_signals():
        sys.exit(1)


def test_what_cleans_up_after_an_interrupt_is_not_interrupted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("admf_ray.app.signals._AGAIN_SECONDS", 0.01)
    said = []
    before = signal.getsignal(signal.SIGTERM)
    with suppress(KeyboardInterrupt), stopped_by_signals():
        try:
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(60)
        finally:
            with suppress(OSError):
                try:
                    raise OSError
                finally:
                    time.sleep(0.2)
            said.append("written")
    assert said == ["written"]
    assert signal.getsignal(signal.SIGTERM) is before


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_while_modules_are_imported_is_an_interrupt(number: signal.Signals, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "admf_ray.launch", "+experiment=walkforward", f"run_root={tmp_path}"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        # SIGTERM is caught from then on.
        while not catches(process.pid) >> (signal.SIGTERM - 1) & 1:
            assert process.poll() is None
            time.sleep(0.001)
        process.send_signal(number)
        out, said = process.communicate()
    assert (out, said.splitlines()[-1]) == ("", "interrupted")
    assert process.returncode == 130
    assert list(tmp_path.iterdir()) == []


def catches(process: int) -> int:
    """Give the signals that a process catches, a bit each."""
    (mask,) = (line for line in Path(f"/proc/{process}/status").read_text().splitlines() if line.startswith("SigCgt"))
    return int(mask.split()[1], 16)


SWALLOWS = """
import os
import signal
import time
from contextlib import suppress

with suppress(KeyboardInterrupt):
    os.kill(os.getpid(), signal.SIGTERM)
time.sleep(60)
"""


def test_what_a_command_swallows_stops_it_none_the_less(tmp_path: Path) -> None:
    plugin = tmp_path / "plugin.py"
    plugin.write_text(SWALLOWS)
    assert main(["+experiment=components", f"plugins=[{plugin}]"]) == 130


def test_an_interrupt_that_an_error_hides_is_one() -> None:
    def hides() -> None:
        try:
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(60)
        finally:
            error = FileNotFoundError("it is gone")
            error.add_note("go on so")
            raise error

    with pytest.raises(KeyboardInterrupt) as stopped, stopped_by_signals():
        hides()
    assert stopped.value.__notes__ == ["go on so"]


def test_an_error_beside_which_nothing_was_interrupted_stays_what_it_is() -> None:
    with pytest.raises(FileNotFoundError), stopped_by_signals():
        raise FileNotFoundError("it is gone")


STORM = """
import os, signal, sys, time
for number in range(600):
    os.kill(int(sys.argv[1]), signal.SIGTERM)
    time.sleep(number % 12 * 2e-4)
"""


def test_signals_upon_each_other_leave_nothing_behind() -> None:
    before = signal.signal(signal.SIGTERM, lambda *_: None)
    handler = signal.getsignal(signal.SIGTERM)
    stopped = 0
    try:
        with subprocess.Popen([sys.executable, "-c", STORM, str(os.getpid())]) as process:
            while process.poll() is None:
                try:
                    with stopped_by_signals():
                        time.sleep(0.01)
                except KeyboardInterrupt:
                    stopped += 1
                assert signal.getsignal(signal.SIGTERM) is handler
                assert not [thread for thread in threading.enumerate() if isinstance(thread, threading.Timer)]
    finally:
        signal.signal(signal.SIGTERM, before)
    assert stopped


def test_it_ends_with_130_whatever_the_interrupt_passed_through(tmp_path: Path) -> None:
    plugin = tmp_path / "plugin.py"
    plugin.write_text("exec('raise KeyboardInterrupt')")
    command = [sys.executable, "-m", "admf_ray.launch", "+experiment=components", f"plugins=[{plugin}]"]
    assert subprocess.run(command, capture_output=True, check=False).returncode == 130
