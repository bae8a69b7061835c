"""Containers: components around a bus, built from specs, isolated from others, and gone without a trace; no trading."""

from admf_ray.containers.component import (
    PROTOCOLS,
    Component,
    Disposing,
    Initializing,
    Resettable,
    Starting,
    Stopping,
    protocols_of,
)
from admf_ray.containers.container import ScopedContainer
from admf_ray.containers.describe import describe, mermaid, text_tree
from admf_ray.containers.kinds import BROKERAGE, KINDS, SERVICES_OF
from admf_ray.containers.lifecycle import TRANSITIONS, Lifecycle, State, Transition
from admf_ray.containers.pool import ContainerPool, PoolCounts
from admf_ray.containers.registry import COMPONENTS, Argument, ComponentKind, component_kind
from admf_ray.containers.scope import Scope, ServicePolicy
from admf_ray.containers.services import is_immutable, read_only
from admf_ray.containers.spec import ComponentSpec, ContainerSpec

__all__ = [
    "BROKERAGE",
    "COMPONENTS",
    "KINDS",
    "PROTOCOLS",
    "SERVICES_OF",
    "TRANSITIONS",
    "Argument",
    "Component",
    "ComponentKind",
    "ComponentSpec",
    "ContainerPool",
    "ContainerSpec",
    "Disposing",
    "Initializing",
    "Lifecycle",
    "PoolCounts",
    "Resettable",
    "Scope",
    "ScopedContainer",
    "ServicePolicy",
    "Starting",
    "State",
    "Stopping",
    "Transition",
    "component_kind",
    "describe",
    "is_immutable",
    "mermaid",
    "protocols_of",
    "read_only",
    "text_tree",
]
