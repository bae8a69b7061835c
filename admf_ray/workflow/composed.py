"""What decided in a run, as plain values for its summary."""

from typing import Any

from admf_ray.engine.composition import Composition

__all__ = ["composition_record"]


def composition_record(composition: Composition) -> dict[str, Any]:
    """Give the members, classifiers and ensemble of a composition.

    Returns
    -------
    dict
        ``ensemble`` (name or None); ``members``, each with ``name``, ``strategy``, ``weight`` (None where one of them
        trades), ``trades_in`` (labels by classifier) and ``by_regime`` (labels with parameters of their own);
        ``classifiers``, each with ``name``, ``classifier``, ``symbol`` and ``timeframe`` (None for the first symbol and
        the bars of the data).

    Examples
    --------
    >>> from admf_ray.strategies import STRATEGIES
    >>> record = composition_record(Composition.of(STRATEGIES["sma_cross"]))
    >>> record["ensemble"], record["members"][0]["strategy"], record["classifiers"]
    (None, 'sma_cross', [])
    """
    return {
        "ensemble": composition.ensemble,
        "members": [
            {
                "name": member.name,
                "strategy": member.strategy.name,
                "weight": None if composition.is_one_of else weight,
                "trades_in": {watch: list(labels) for watch, labels in member.trades_in},
                "by_regime": list(member.sets),
            }
            for member, weight in zip(composition.members, composition.weights, strict=True)
        ],
        "classifiers": [
            {
                "name": watch.name,
                "classifier": watch.classifier.name,
                "symbol": watch.symbol,
                "timeframe": watch.timeframe,
            }
            for watch in composition.watches
        ],
    }
