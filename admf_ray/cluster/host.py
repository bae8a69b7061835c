"""The host: the Ray actor that computes chunks, one for each CPU."""

from typing import Any

from admf_ray.cluster.functions import call
from admf_ray.cluster.shared import opened

__all__ = ["Host"]


class Host:
    """Computes what it is told by name; knows no trading.

    Parameters
    ----------
    name : str
        For records and messages.
    """

    def __init__(self, name: str) -> None:
        self._name = name

    def name(self) -> str:
        """Give the name; an answer means that the host is up."""
        return self._name

    def run(self, function: str, chunk: Any, bundle: Any) -> tuple[Any, float]:
        """Call ``"module:function"`` with a chunk and the shared bundle; give its result and seconds."""
        return call(function, chunk, opened(bundle), self._name)
