"""Containers: components around a bus, built from specs, isolated from others, and gone without a trace; no trading."""

from admf_ray.containers.component import Component, Disposing, Initializing, Resettable, Starting, Stopping
from admf_ray.containers.container import ScopedContainer
from admf_ray.containers.describe import describe, mermaid, text_tree
from admf_ray.containers.lifecycle import TRANSITIONS, Lifecycle, State, Transition
from admf_ray.containers.pool import ContainerPool, PoolCounts
from admf_ray.containers.scope import Scope, ServicePolicy
from admf_ray.containers.services import is_immutable, read_only
from admf_ray.containers.spec import ComponentSpec, ContainerSpec

__all__ = [
    "TRANSITIONS",
    "Component",
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
    "describe",
    "is_immutable",
    "mermaid",
    "read_only",
    "text_tree",
]
