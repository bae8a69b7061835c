"""What rules of selection and pruning ask of a search, checked before anything runs."""

from collections.abc import Sequence

from admf_ray.app.data_settings import CombinatorialWindows
from admf_ray.app.settings import Settings
from admf_ray.data.spans import Stretch
from admf_ray.errors import ConfigError
from admf_ray.optimize import ADAPTIVE, EARLIEST, Search, check_blocks, check_plateau

__all__ = ["check_selection"]


def check_selection(settings: Settings, search: Search, spans: Sequence[Stretch]) -> None:
    """Refuse a rule of selection, or pruning, that this search or its train spans cannot do.

    Raises
    ------
    ConfigError, CapacityError
        Names the option and what is allowed.
    """
    asked, choice = settings.search, settings.choice
    if choice.selection == "top_n" and not search.composition.is_single:
        raise ConfigError(
            f"search.selection: top_n, and {search.composition.name} has members or classifiers of its own; allowed: "
            "top_n of one strategy without a classifier, or best, plateau, worst_block"
        )
    if choice.selection == "top_n" and search.columns.options:
        raise ConfigError(
            f"search.selection: top_n, and {', '.join(search.columns.options)} of the account can differ between sets; "
            "allowed: no search.space, or best, plateau, worst_block"
        )
    if choice.selection != "best" and choice.objectives:
        raise ConfigError(
            f"search.selection: {choice.selection} with search.objectives of {len(choice.objectives)}; allowed: best"
        )
    if choice.selection == "top_n" and isinstance(settings.windows, CombinatorialWindows):
        raise ConfigError("search.selection: top_n with windows.kind=cpcv; allowed: best, plateau, worst_block")
    check_plateau(choice, search.sets, search.space)
    if asked.pruning != "none":
        if choice.objectives:
            raise ConfigError(
                f"search.pruning: {asked.pruning} with {len(choice.objectives)} search.objectives; allowed: none, or "
                "no search.objectives"
            )
        if search.adaptive is None:
            raise ConfigError(
                f"search.pruning: {asked.pruning}, and search.sampler={asked.sampler} learns nothing from its trials; "
                f"allowed: search.sampler={' or '.join(ADAPTIVE)}, or search.pruning=none"
            )
        if asked.blocks < EARLIEST:
            raise ConfigError(
                f"search.blocks: {asked.blocks}, and no set can be pruned before it is behind in {EARLIEST} blocks; "
                f"allowed: from {EARLIEST} on, more than that to save something, or search.pruning=none"
            )
    if choice.selection == "worst_block" or asked.pruning != "none":
        check_blocks(spans, asked.blocks)
