"""Shared services as containers see them: read, called, never changed."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from admf_ray.containers import is_immutable, read_only
from admf_ray.errors import IsolationViolation


@dataclass
class Hub:
    matrix: np.ndarray = field(default_factory=lambda: np.arange(4.0))
    settings: dict[str, Any] = field(default_factory=lambda: {"costs": {"commission": 1.0}})
    calls: int = 0

    def mean(self) -> float:
        self.calls += 1
        return float(self.matrix.mean())

    def __getitem__(self, key: int) -> float:
        return float(self.matrix[key])

    def __len__(self) -> int:
        return len(self.matrix)


@dataclass(frozen=True)
class Settings:
    seed: int = 1


class Silent:
    """Has no special methods."""


def set_attribute(service: Any) -> None:
    service.calls = 5


def set_new_attribute(service: Any) -> None:
    service.fresh = 5


def delete_attribute(service: Any) -> None:
    del service.calls


def set_item(service: Any) -> None:
    service[0] = 5


def delete_item(service: Any) -> None:
    del service[0]


def set_inside(service: Any) -> None:
    service.settings["costs"]["commission"] = 0.0


def set_in_dict(service: Any) -> None:
    service.__dict__["calls"] = 5


@pytest.mark.parametrize(
    "change", [set_attribute, set_new_attribute, delete_attribute, set_item, delete_item, set_inside, set_in_dict]
)
def test_an_object_cannot_be_changed_and_the_refusal_names_it(change: Callable[[Any], None]) -> None:
    hub = Hub()
    with pytest.raises(IsolationViolation, match="service 'hub' is read-only: no "):
        change(read_only(hub, "hub"))
    assert (hub.calls, hub.settings, hub.matrix.tolist()) == (0, {"costs": {"commission": 1.0}}, [0.0, 1.0, 2.0, 3.0])
    assert not hasattr(hub, "fresh")


def test_an_object_is_read_and_called_as_before() -> None:
    hub = Hub()
    view = read_only(hub, "hub")
    assert (view.mean(), view[2], len(view), list(view), view.settings["costs"]["commission"]) == (
        1.5,
        2.0,
        4,
        [0.0, 1.0, 2.0, 3.0],
        1.0,
    )
    assert isinstance(view, Hub)
    assert view == hub
    assert repr(view) == f"<read-only {hub!r}>"
    hub.settings["costs"] = 2
    assert view.settings["costs"] == 2, "a view, no copy"
    with pytest.raises(AttributeError, match="'Hub' object has no attribute 'missing'"):
        view.missing  # noqa: B018


def test_what_a_method_changes_inside_cannot_be_seen() -> None:
    hub = Hub()
    read_only(hub, "hub").mean()
    assert hub.calls == 1


def test_a_view_has_the_special_methods_of_its_object_and_no_others() -> None:
    view = read_only(Silent(), "silent")
    assert not callable(view)
    assert bool(view)
    with pytest.raises(TypeError):
        len(view)


def test_arrays_are_views_that_cannot_be_written() -> None:
    array = np.arange(3.0)
    view = read_only(array, "prices")
    with pytest.raises(ValueError, match="read-only"):
        view[0] = 5.0
    array[0] = 7.0
    assert view[0] == 7.0
    assert array.flags.writeable
    with pytest.raises(ValueError, match="read-only"):
        read_only(Hub(), "hub").matrix[0] = 5.0


@pytest.mark.parametrize(
    ("collection", "changes"),
    [
        ({0: "x"}, ["clear", "pop", "popitem", "update", "setdefault"]),
        (["x"], ["append", "extend", "insert", "pop", "sort", "clear"]),
        (deque(["x"]), ["append", "appendleft", "rotate"]),
        ({"x"}, ["add", "discard", "clear"]),
    ],
)
def test_collections_have_nothing_that_changes_them(collection: Any, changes: list[str]) -> None:
    view = read_only(collection, "names")
    assert (len(view), list(view), view == collection) == (1, list(collection), True)
    for name in changes:
        assert not hasattr(view, name)
    for change in (set_item, delete_item, set_attribute):
        with pytest.raises(IsolationViolation, match="service 'names' is read-only"):
            change(view)
    assert len(collection) == 1


def test_what_is_in_a_collection_is_read_only_as_well() -> None:
    view = read_only([{"a": [1]}], "rows")
    for inside in (view[0], next(iter(view)), view[0:1][0]):
        with pytest.raises(IsolationViolation, match="service 'rows'"):
            inside["a"][0] = 2
    (values,) = read_only({"a": [1]}, "rows").values()
    with pytest.raises(IsolationViolation, match="service 'rows'"):
        values[0] = 2


def test_sets_are_compared_and_joined_as_sets() -> None:
    view = read_only({1, 2}, "numbers")
    assert (view | {3}, view & {2, 3}, view <= {1, 2, 3}) == ({1, 2, 3}, {2}, True)


@pytest.mark.parametrize(
    "value", [None, 1, 1.5, "text", b"b", (1, [2]), frozenset([1]), len, Hub, Settings(), np.float64(1)]
)
def test_immutable_values_are_passed_as_they_are(value: object) -> None:
    assert is_immutable(value)
    assert read_only(value, "value") is value


def test_a_view_finds_its_place_in_dictionaries_as_its_object_does() -> None:
    silent = Silent()
    assert {silent: 1}[read_only(silent, "silent")] == 1
    with pytest.raises(TypeError, match="unhashable"):
        hash(read_only({}, "settings"))


def test_a_view_of_a_view_is_that_view() -> None:
    for service in (Hub(), {}, [], set()):
        view = read_only(service, "service")
        assert read_only(view, "again") is view
