"""A host that dies in the middle of work that cannot be split."""

import os
from typing import Any

import pytest

from admf_ray.cluster.ray_executor import RayExecutor
from admf_ray.errors import ChunkError


def leave(chunk: int, bundle: dict[str, Any]) -> int:
    os._exit(3)


@pytest.mark.chaos
def test_the_chunk_is_named_once_it_has_ended_as_many_hosts_as_it_may() -> None:
    with (
        pytest.raises(ChunkError, match=r"(?s)chunk 7 failed on host-1:\nits host ended: .*actor died unexpectedly"),
        RayExecutor(workers=1, max_retries=1) as executor,
    ):
        executor.map("tests.cluster.test_host_death:leave", [7], executor.share({}))
