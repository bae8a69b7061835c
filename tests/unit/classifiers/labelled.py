"""Classifiers over bars, computed as the platform does: keys by the hub, then the kernel from bar 0."""

from collections.abc import Sequence

import numpy as np

from admf_ray.classifiers import CLASSIFIERS, Classifier
from admf_ray.core.bars import Bars
from admf_ray.indicators import Key, compute_hub


def inputs_of(entry: Classifier, bars: Bars, params: dict[str, float]) -> np.ndarray:
    """What the classifier reads, [slot, bar]."""
    given = entry.complete(params)
    keys = [Key.parse(text.format(**given)).bind(bars.symbols[0]) for text in entry.inputs]
    hub = compute_hub(bars, keys)
    return np.stack([hub.matrix[hub.rows[key]] for key in keys])


def classified(rows: np.ndarray, name: str, params: dict[str, float], fitted: Sequence[float] = ()) -> np.ndarray:
    """Output of a kernel over given inputs, [output, bar]."""
    entry = CLASSIFIERS[name]
    declared = tuple(entry.complete(params).values())
    bars = rows.shape[1]
    out = np.empty((entry.outputs(declared), bars))
    state = np.zeros(entry.state_size(declared))
    numbers = np.array([*declared, *fitted])
    session = np.zeros(bars, dtype=np.int32)
    entry.kernel(rows, np.arange(len(rows)), session, numbers, state, 0, bars, out)
    return out


def labels(bars: Bars, name: str, *fitted: float, **params: float) -> list[float]:
    """The label of every bar."""
    return classified(inputs_of(CLASSIFIERS[name], bars, params), name, params, fitted)[0].tolist()
