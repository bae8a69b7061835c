import pyarrow as pa
import pytest

from admf_ray.data import catalog
from admf_ray.data.catalog import prepared
from tests.series import daily_bars
from tests.unit.data.files import days, load


@pytest.fixture
def entries(tmp_path, monkeypatch):
    monkeypatch.setenv("ADMF_CACHE_DIR", str(tmp_path))
    return tmp_path / "bars"


def test_bars_are_prepared_once_and_read_back_from_a_mapped_file(entries) -> None:
    calls = []

    def prepare():
        calls.append(1)
        return daily_bars([1.0, 2.0, 3.0], symbol="ABC")

    first, second = prepared("key", prepare), prepared("key", prepare)
    assert len(calls) == 1
    assert first.fingerprint() == second.fingerprint() == daily_bars([1.0, 2.0, 3.0], symbol="ABC").fingerprint()
    assert second.covers_until == daily_bars([1, 2, 3]).covers_until
    assert [path.name for path in entries.iterdir()] == ["key.arrow"]


def test_values_are_views_of_the_file(entries) -> None:
    prepared("key", lambda: daily_bars([1.0, 2.0, 3.0]))
    bars = prepared("key", lambda: daily_bars([9.0]))
    owner = bars.close
    while getattr(owner, "base", None) is not None:
        owner = owner.base
    assert isinstance(owner, pa.Array | pa.lib.Buffer)


def test_any_flipped_byte_is_noticed_or_harmless(entries) -> None:
    sound = daily_bars([1.0, 2.0, 3.0])
    prepared("key", lambda: sound)
    path = entries / "key.arrow"
    content = path.read_bytes()
    rebuilt = 0
    for at in range(0, len(content), 7):
        path.write_bytes(content[:at] + bytes([content[at] ^ 0x55]) + content[at + 1 :])
        made = []
        bars = prepared("key", lambda made=made: made.append(1) or sound)
        rebuilt += len(made)
        assert bars.fingerprint() == sound.fingerprint()
        assert bars.min_history == sound.min_history
    assert rebuilt > len(content) / 7 / 2


def test_processes_that_prepare_the_same_at_once_agree(entries, tmp_path) -> None:
    import subprocess
    import sys

    path = tmp_path / "p.csv"
    days(40).write_csv(path)
    options = "calendar='XNYS', min_history_bars=0"
    code = f"import admf_ray; print(admf_ray.load_bars('csv', {str(path)!r}, {options}).fingerprint())"
    running = [
        subprocess.Popen([sys.executable, "-W", "ignore", "-c", code], stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    assert len({process.communicate(timeout=120)[0] for process in running}) == 1
    assert [process.returncode for process in running] == [0, 0]
    # The other entry is the index that `days` takes its dates from.
    assert [path.suffix for path in entries.iterdir()] == [".arrow"] * 2


def test_what_a_killed_writer_left_is_cleared_after_an_hour(entries) -> None:
    import os
    import time

    entries.mkdir()
    for name, age in (("old", 7_200), ("new", 10)):
        (entries / f"{name}.partial").write_bytes(b"x")
        os.utime(entries / f"{name}.partial", (time.time() - age,) * 2)
    prepared("key", lambda: daily_bars([1.0]))
    assert sorted(path.name for path in entries.iterdir()) == ["key.arrow", "new.partial"]


def test_sessions_history_and_report_come_back(entries) -> None:
    bars = load(days(40), calendar="XNYS", symbol="ABC", min_history_bars=7)
    prepared("key", lambda: bars)
    back = prepared("key", lambda: daily_bars([9.0]))
    assert back.fingerprint() == bars.fingerprint()
    assert (back.report, back.min_history) == (bars.report, 7)
    assert back.bucket_closes("1w").tolist() == bars.bucket_closes("1w").tolist()


@pytest.mark.parametrize("damage", [b"", b"ARROW1 nonsense", None])
def test_an_entry_that_cannot_be_read_is_made_anew(entries, damage: bytes | None) -> None:
    prepared("key", lambda: daily_bars([1.0, 2.0]))
    path = entries / "key.arrow"
    path.write_bytes(path.read_bytes()[:200] if damage is None else damage)
    assert len(prepared("key", lambda: daily_bars([1.0, 2.0, 3.0]))) == 3


def test_several_symbols_come_back_as_a_panel(entries) -> None:
    import numpy as np

    from admf_ray.core.bars import Bars

    one = daily_bars([1.0, 2.0, 3.0])
    both = {name: np.concatenate([getattr(one, name), 2 * getattr(one, name)]) for name in catalog.FIELDS}
    fields = {name: getattr(one, name) for name in Bars.__dataclass_fields__}
    panel = Bars(**{**fields, **both, "symbols": ("A", "B")})
    assert prepared("panel", lambda: panel).fingerprint() == panel.fingerprint()
