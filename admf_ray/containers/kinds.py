"""Kinds of containers, and the shared services that each may have."""

from types import MappingProxyType
from typing import Final

from admf_ray.containers.scope import ServicePolicy

__all__ = ["BROKERAGE", "KINDS", "SERVICES_OF"]

BROKERAGE: Final = frozenset({"order_router", "broker", "credentials"})
"""What reaches a broker: orders that are real, and what opens the account."""

_RESEARCH = frozenset({"bars", "hub"})

SERVICES_OF: Final[ServicePolicy] = MappingProxyType(
    {
        "optimization": _RESEARCH,
        "backtest": _RESEARCH,
        "signal_generation": _RESEARCH,
        "signal_replay": _RESEARCH | {"signals"},
        "live": None,
        "test": None,
    }
)
"""The services of each kind, None for all: `BROKERAGE` reaches live containers, and those of tests, and no others.

A service that is not named here is refused, so that a new one reaches only where somebody let it.

Examples
--------
>>> from admf_ray.containers import SERVICES_OF, ContainerSpec, ScopedContainer
>>> services = {"bars": (1.0, 2.0), "order_router": print}
>>> with ScopedContainer(ContainerSpec("optimization"), "doctest-kinds", services, policy=SERVICES_OF) as container:
...     print(container.services)
['bars']
"""

KINDS: Final = tuple(SERVICES_OF)
"""All kinds: searching, simulating, computing signals alone, trading stored signals, trading for real, and tests."""
