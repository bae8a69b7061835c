import pyarrow as pa
import pytest

from admf_ray.data import catalog
from admf_ray.data.catalog import prepared
from tests.series import daily_bars


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
    bars = prepared("key", lambda: daily_bars([1.0, 2.0, 3.0]))
    owner = bars.close
    while getattr(owner, "base", None) is not None:
        owner = owner.base
    assert isinstance(owner, pa.Array | pa.lib.Buffer)


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
