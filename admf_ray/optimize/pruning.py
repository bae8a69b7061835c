"""Pruning: a study gives up a set that is behind its best one in the blocks of the train span so far.

Blocks are those of the window's own train span, in their order, each an account of its own. A set that is given up is
not simulated over the whole span: it has no objective, and what it came to in blocks never stands for one.
"""

import warnings
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import optuna

__all__ = ["going_on", "pruner"]


def pruner() -> optuna.pruners.BasePruner:
    """Give Optuna's test of whether a trial is behind the best one so far: signed ranks of differences by block.

    Source: Wilcoxon, Individual Comparisons by Ranking Methods, Biometrics Bulletin 1 (1945); one-sided, p < 0.1,
    so that `admf_ray.optimize.blocks.EARLIEST` blocks are the fewest.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        return optuna.pruners.WilcoxonPruner()


def going_on(trials: Sequence[optuna.Trial], scores: npt.NDArray[np.float64], block: int) -> list[bool]:
    """Report what trials came to in a block, and say which of them go on.

    Trials that are evaluated together are compared with the best one that was told before them, so that none depends on
    another. A block in which an objective is undefined compares with none: such a trial goes on.

    Parameters
    ----------
    trials : sequence of optuna.Trial
    scores : float64 array, shape [trial]
        Objectives; NaN where they are undefined.
    block : int
        Number of the block.
    """
    with warnings.catch_warnings():
        # It warns of what is undefined.
        warnings.simplefilter("ignore", UserWarning)
        for trial, score in zip(trials, scores.tolist(), strict=True):
            trial.report(score, block)
        return [not trial.should_prune() for trial in trials]
