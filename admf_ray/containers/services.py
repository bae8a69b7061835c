"""Shared services: seen by many containers, changed by none of them.

What cannot be seen from outside is not refused: a method of a service that changes it, something mutable inside a tuple
or a frozen dataclass, the result of a method, and an array whose `flags.writeable` is set back.
"""

import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from dataclasses import is_dataclass
from datetime import date, time, timedelta
from enum import Enum
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType, NoneType
from typing import Any, NoReturn

import numpy as np

from admf_ray.errors import IsolationViolation

__all__ = ["is_immutable", "read_only"]

_IMMUTABLE = (
    *(NoneType, bool, int, float, complex, str, bytes, tuple, frozenset, range, Enum),
    *(date, time, timedelta, np.generic, np.dtype),
    *(type, ModuleType, FunctionType, BuiltinFunctionType, MethodType),
)

# Special methods are looked for in the class, so that the class of a view must have those that the service's has.
_PASSED_ON = (
    *("__call__", "__len__", "__iter__", "__contains__", "__getitem__", "__reversed__", "__bool__"),
    *("__int__", "__float__", "__index__", "__array__", "__lt__", "__le__", "__gt__", "__ge__"),
)


def is_immutable(value: Any) -> bool:
    """Say whether a value is of a kind that does not change: numbers, texts, tuples, functions, frozen dataclasses."""
    if isinstance(value, _IMMUTABLE):
        return True
    return is_dataclass(value) and bool(type(value).__dataclass_params__.frozen)  # type: ignore[union-attr]


def read_only(service: Any, name: str) -> Any:
    """Give a service as containers see it: it can be read and called, and not changed from outside.

    Arrays become views that cannot be written; mappings, sequences and sets become views without the methods that
    change them; other objects are passed on attribute by attribute. What is read from a view is read-only as well.
    Immutable values and what is read-only already are given as they are.

    Parameters
    ----------
    service : object
    name : str
        Of the service; for messages.

    Examples
    --------
    >>> settings = read_only({"costs": {"commission": 1.0}}, "settings")
    >>> settings["costs"]["commission"]
    1.0
    >>> settings["costs"]["commission"] = 0.0
    Traceback (most recent call last):
    ...
    admf_ray.errors.IsolationViolation: service 'settings' is read-only: no item can be set
    """
    kind = type(service)
    if issubclass(kind, _View) or is_immutable(service):
        return service
    if isinstance(service, np.ndarray):
        view = service.view()
        view.flags.writeable = False
        return view
    if issubclass(kind, Mapping):
        return _MappingView(service, name)
    if issubclass(kind, Sequence):
        return _SequenceView(service, name)
    if issubclass(kind, Set):
        return _SetView(service, name)
    return _class_of_views(kind)(service, name)


class _View:
    """What every view has: the service, which it reads, and refusals."""

    __slots__ = ("__weakref__", "_read_only_name", "_read_only_service")

    _read_only_name: str
    _read_only_service: Any

    def __init__(self, service: Any, name: str) -> None:
        object.__setattr__(self, "_read_only_service", service)
        object.__setattr__(self, "_read_only_name", name)

    def _refuse(self, what: str) -> NoReturn:
        raise IsolationViolation(f"service '{self._read_only_name}' is read-only: no {what}")

    def __setattr__(self, name: str, value: object) -> None:
        self._refuse(f"attribute can be set, such as '{name}'")

    def __delattr__(self, name: str) -> None:
        self._refuse(f"attribute can be deleted, such as '{name}'")

    def __setitem__(self, key: object, value: object) -> None:
        self._refuse("item can be set")

    def __delitem__(self, key: object) -> None:
        self._refuse("item can be deleted")

    def __repr__(self) -> str:
        return f"<read-only {self._read_only_service!r}>"

    def __eq__(self, other: object) -> bool:
        return bool(self._read_only_service == (other._read_only_service if isinstance(other, _View) else other))

    def __hash__(self) -> int:
        return hash(self._read_only_service)


class _Collection(_View):
    """A view of a collection: what is in it is read-only as well."""

    __slots__ = ()

    def __len__(self) -> int:
        return len(self._read_only_service)

    def __getitem__(self, key: Any) -> Any:
        return read_only(self._read_only_service[key], self._read_only_name)

    def __iter__(self) -> Iterator[Any]:
        return (read_only(item, self._read_only_name) for item in self._read_only_service)

    def __contains__(self, item: object) -> bool:
        return item in self._read_only_service


class _MappingView(_Collection, Mapping[Any, Any]):
    __slots__ = ()


class _SequenceView(_Collection, Sequence[Any]):
    __slots__ = ()


class _SetView(_Collection, Set[Any]):
    __slots__ = ()

    @classmethod
    def _from_iterable(cls, items: Any) -> Any:
        return frozenset(items)


class _ObjectView(_View):
    """A view of any other object; for `isinstance` it is what the object is."""

    __slots__ = ()

    @property  # type: ignore[misc]
    def __class__(self) -> type:
        return type(self._read_only_service)

    def __getattr__(self, name: str) -> Any:
        return read_only(getattr(self._read_only_service, name), self._read_only_name)


_CLASSES: weakref.WeakKeyDictionary[type, type[_ObjectView]] = weakref.WeakKeyDictionary()


def _class_of_views(kind: type) -> type[_ObjectView]:
    """Give the class of views of objects of a class: it passes on the special methods that those have."""
    if kind not in _CLASSES:
        own = {name for base in kind.__mro__ if base is not object for name in vars(base)}
        body = {name: _passing_on(name) for name in _PASSED_ON if name in own}
        _CLASSES[kind] = type(f"ReadOnly{kind.__name__}", (_ObjectView,), {"__slots__": (), **body})
    return _CLASSES[kind]


def _passing_on(name: str) -> Callable[..., Any]:
    reads = name == "__getitem__"

    def method(self: _ObjectView, *arguments: Any, **named: Any) -> Any:
        given = getattr(self._read_only_service, name)(*arguments, **named)
        return read_only(given, self._read_only_name) if reads else given

    method.__name__ = name
    return method
