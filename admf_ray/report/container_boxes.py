"""Containers of a run as boxes in boxes, with their text tree and their Mermaid source."""

from collections.abc import Mapping
from typing import Any

from admf_ray.containers import mermaid, text_tree
from admf_ray.report.page import Boxes

__all__ = ["container_boxes"]


def container_boxes(held: Mapping[str, Any]) -> Boxes:
    """Draw what `admf_ray.containers.describe` gave of the containers of a run."""
    return Boxes(
        "containers",
        "Containers",
        "Each box is a container with an event bus of its own, each tile a component: what it needs of others, and "
        "which events of its bus it hears. On the border of a box stands what is forwarded over it: \u25bc from the "
        "bus around it into it, \u25b2 out of it.",
        held,
        [("Text tree", text_tree(held)), ("Mermaid source", mermaid(held))],
    )
