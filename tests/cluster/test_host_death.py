"""A host that dies in the middle of its work."""

import os
from typing import Any

import pytest

from admf_ray.cluster.ray_executor import RayExecutor
from admf_ray.errors import ChunkError


def leave(chunk: int, bundle: dict[str, Any]) -> int:
    os._exit(3)


def test_a_host_that_dies_is_named() -> None:
    with pytest.raises(ChunkError, match=r"host-0 died while it computed chunk 7"), RayExecutor(workers=1) as executor:
        executor.map("tests.cluster.test_host_death:leave", [7], executor.share({}))
