"""Scopes: which shared services a container may have, its own and those of the containers around it."""

from collections.abc import Collection, Iterator, Mapping
from types import MappingProxyType
from typing import Any, TypeAlias

from admf_ray.containers.services import read_only
from admf_ray.core.registry import unknown_name
from admf_ray.errors import ConfigError, IsolationViolation

__all__ = ["Scope", "ServicePolicy"]

ServicePolicy: TypeAlias = Mapping[str, Collection[str] | None]
"""Which services each kind of container may have; None for all. A kind that is not in it may have none."""

_ABSENT = object()


class Scope:
    """The shared services of one container; they are made read-only here, once.

    A name is looked for in the container's own services, then in those of its parent, and so on. What a container may
    not have it does not hand down either.

    Parameters
    ----------
    container_id, kind : str
    services : mapping of str to object
    above : Scope, optional
        That of the parent.
    policy : mapping of str to collection of str or None, optional
        See `ServicePolicy`; that of the parent where none is given, and without one everything is allowed.

    Raises
    ------
    ConfigError
        Where the policy names no collection of services.

    Examples
    --------
    >>> services = {"bars": (1.0, 2.0), "order_router": object()}
    >>> scope = Scope("doctest-containers", "optimization", services, policy={"optimization": {"bars"}, "live": None})
    >>> scope.resolve("bars")
    (1.0, 2.0)
    >>> scope.resolve("order_router")
    Traceback (most recent call last):
    ...
    admf_ray.errors.IsolationViolation: container 'doctest-containers' of kind 'optimization' may not have service \
'order_router'; allowed: bars
    """

    __slots__ = ("_above", "_allowed", "_container_id", "_kind", "_policy", "_services")

    def __init__(
        self,
        container_id: str,
        kind: str,
        services: Mapping[str, object] = MappingProxyType({}),
        above: "Scope | None" = None,
        policy: ServicePolicy | None = None,
    ) -> None:
        self._container_id = container_id
        self._kind = kind
        self._services = {name: read_only(service, name) for name, service in services.items()}
        self._above = above
        inherited = above._policy if above else None
        self._policy: ServicePolicy | None = inherited if policy is None else policy
        self._allowed = _allowed(self._policy, kind)

    def resolve(self, name: str) -> Any:
        """Give a service, read-only.

        Raises
        ------
        ConfigError
            Where there is none of that name.
        IsolationViolation
            Where the container, or one around it that would hand it down, may not have it.
        """
        for scope in self._outward():
            if name in scope.named() and not scope._allows(name):
                allowed = ", ".join(scope.allowed_names()) or "none"
                violation = IsolationViolation(
                    f"container '{scope._container_id}' of kind '{scope._kind}' may not have service '{name}'; "
                    f"allowed: {allowed}"
                )
                violation.container_id = self._container_id
                raise violation
            found = scope._services.get(name, _ABSENT)
            if found is not _ABSENT:
                return found
        raise ConfigError(f"container '{self._container_id}': {unknown_name('service', name, self.allowed_names())}")

    def named(self) -> set[str]:
        """Give the names of all services, here and above, those that are not allowed included."""
        return {name for scope in self._outward() for name in scope._services}

    def allowed_names(self) -> list[str]:
        """Give the names of the services that the container may have, sorted."""
        names: set[str] = set() if self._above is None else set(self._above.allowed_names())
        return sorted(name for name in names.union(self._services) if self._allows(name))

    def _allows(self, name: str) -> bool:
        return self._allowed is None or name in self._allowed

    def _outward(self) -> "Iterator[Scope]":
        scope: Scope | None = self
        while scope is not None:
            yield scope
            scope = scope._above


def _allowed(policy: ServicePolicy | None, kind: str) -> frozenset[str] | None:
    if policy is None:
        return None
    names = policy.get(kind, frozenset())
    if names is None:
        return None
    if isinstance(names, str):
        raise ConfigError(f"policy of '{kind}': {names!r} is not allowed; allowed: a set of names of services, or None")
    return frozenset(names)
