"""The candidates that the settings ask for."""

from collections.abc import Mapping, Sequence

from admf_ray.app.compose import composed_space
from admf_ray.app.composition_settings import Range, Searched
from admf_ray.app.settings import Settings
from admf_ray.core.registry import unknown_name
from admf_ray.engine.account_options import check_options, is_option
from admf_ray.engine.composition import Composition
from admf_ray.errors import ConfigError
from admf_ray.optimize import (
    ADAPTIVE,
    JOURNAL,
    Adaptive,
    Candidates,
    DrawnRange,
    Space,
    axis_values,
    draw_candidates,
    expand_grid,
    plan_space,
)

__all__ = ["largest", "make_candidates", "search_space"]


def _space(settings: Settings, composition: Composition) -> dict[str, Searched]:
    """Give what is searched: of the account by the paths of options, of the composition by the names of parameters."""
    of_account, found = settings.search.space, composed_space(settings, composition)
    check_options(settings.account, list(of_account))
    for name in filter(is_option, found):
        unknown = unknown_name(f"parameter of {composition.name}", name, list(composition.parameter_names))
        raise ConfigError(f"strategy.space.{name}: {unknown}; options of the account stand in search.space")
    if not found and not of_account and not composition.is_one_of:
        raise ConfigError(
            "strategy.space: empty, so that there is nothing to search; allowed: low, high and step, or a list, "
            f"for each of: {', '.join(composition.parameter_names) or 'nothing, as it has no parameters'}"
        )
    return {**of_account, **found}


def make_candidates(
    settings: Settings, composition: Composition, params: Mapping[str, float]
) -> tuple[Candidates, Adaptive | None, Space | None]:
    """Expand or draw the candidates that ``search`` asks for; or give one of them, and how others are proposed.

    The space out of which they come is that of `Search`: none for a grid.
    """
    search = settings.search
    if search.sampler == "grid":
        if search.points:
            raise ConfigError("search.points: a grid has all sets; allowed: search=random, qmc, tpe, nsga2, cmaes")
        axes = {name: _values(name, values) for name, values in _space(settings, composition).items()}
        return expand_grid(composition, params, axes, search.constraints), None, None
    space = search_space(settings, composition, params)
    if search.sampler not in ADAPTIVE:
        return draw_candidates(space, search.sampler, search.trials, settings.seed, search.points), None, space
    # One set that obeys all shows that there are some, and that its series can be computed.
    example = draw_candidates(space, "random", 1, settings.seed, search.points)
    _check_points(settings, space)
    ranges = _ranges(settings, composition)
    for name, span in ranges.items():
        if isinstance(span, DrawnRange) and span.log and span.step is not None:
            raise ConfigError(f"{_where(name)}: {search.sampler} takes log or step; allowed: one of them")
    fixed = {one.parameter.name: [one.fixed] for one in space.dimensions if one.fixed is not None}
    proposing = Adaptive(
        search.sampler,
        max(search.trials, len(search.points)),
        search.batch,
        settings.seed,
        {**fixed, **ranges},
        search.constraints,
        search.points,
        _storage(settings),
        search.pruning,
    )
    return example, proposing, space


def _check_points(settings: Settings, space: Space) -> None:
    """Refuse points that a study could not have proposed."""
    search = settings.search
    for number, point in enumerate(space.points(search.points)):
        for one, value in zip(space.dimensions, point, strict=True):
            if not one.holds(value):
                raise ConfigError(
                    f"search.points[{number}].{one.parameter.name}: {value:g}, which {search.sampler} does not search; "
                    f"allowed: values of {_where(one.parameter.name)}, or search=random or qmc"
                )


def search_space(settings: Settings, composition: Composition, params: Mapping[str, float]) -> Space:
    """Give the space that samplers draw from."""
    return plan_space(composition, params, _ranges(settings, composition), settings.search.constraints)


def _ranges(settings: Settings, composition: Composition) -> dict[str, DrawnRange | Sequence[float]]:
    return {name: _range(values) for name, values in _space(settings, composition).items()}


def _storage(settings: Settings) -> str | None:
    """Give the place for studies, once it was opened; without a run directory there is no journal."""
    place = settings.search.storage
    if settings.experiment == "today":
        # It is no run: its study is kept nowhere.
        return None
    if place == JOURNAL:
        return None if settings.run_root is None else place
    if place is not None:
        # Optuna takes a while to load; hosts load it where they run studies.
        from admf_ray.optimize.storage import open_database

        open_database(place)
    return place


def _where(name: str) -> str:
    return f"{'search' if is_option(name) else 'strategy'}.space.{name}"


def _values(name: str, values: Searched) -> list[float]:
    """Give the values that a grid takes of a parameter."""
    where = _where(name)
    match values:
        case Range(log=True):
            raise ConfigError(f"{where}.log: it goes with samplers that draw; allowed in a grid: low, high, step")
        case Range(step=None) if is_option(name):
            raise ConfigError(f"{where}.step: which? a grid needs one; allowed: a number, or a list of values")
        case Range():
            return axis_values(values.low, values.high, 1.0 if values.step is None else values.step, where)
        case float():
            return [values]
        case _:
            return list(values)


def largest(values: Searched) -> float:
    """Give the largest value that is searched."""
    match values:
        case Range():
            return values.high
        case float():
            return values
        case _:
            return max(values)


def _range(values: Searched) -> DrawnRange | Sequence[float]:
    """Give what a sampler may draw of a parameter."""
    match values:
        case Range():
            return DrawnRange(values.low, values.high, values.step, values.log)
        case float():
            return [values]
        case _:
            return values
