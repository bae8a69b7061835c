"""Settings of the search."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, field_serializer, field_validator, model_validator

from admf_ray.app.composition_settings import Range, Searched
from admf_ray.app.sections import Section
from admf_ray.core.registry import unknown_name
from admf_ray.errors import ConfigError
from admf_ray.optimize import BEST, COMPOSITES, JOURNAL, OBJECTIVES, Choice, checked_place, shown_place

__all__ = ["SearchSettings", "WarmedSettings"]


class WarmedSettings(Section):
    """``search.warmed``: what was read of ``search.warm_start`` when the run began."""

    run: str
    candidates: Annotated[int, Field(ge=0)]
    trials: Annotated[int, Field(ge=0)]
    seen: str


def _flat(values: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, Any]]:
    """Give the ranges below options by their paths, whether these are written as one name or one below the other."""
    for name, value in values.items():
        # A range has names of its own below it.
        if isinstance(value, Mapping) and not value.keys() & Range.model_fields.keys():
            yield from _flat(value, f"{path}{name}.")
        else:
            yield f"{path}{name}", value


class SearchSettings(Section):
    """``search``: how candidates are made, and which may win."""

    sampler: Literal["grid", "random", "qmc", "tpe", "nsga2", "genetic", "cmaes"] = "grid"
    trials: Annotated[int, Field(ge=1)] = 500
    batch: Annotated[int, Field(ge=1)] = 1
    points: Sequence[Mapping[str, float]] = ()
    space: Mapping[str, Searched] = {}
    objective: str = "sharpe"
    objectives: tuple[str, ...] = ()
    min_trades: Annotated[int, Field(ge=1)] = 1
    selection: Literal["best", "plateau", "worst_block", "top_n"] = "best"
    blocks: Annotated[int, Field(ge=2)] = 4
    top: Annotated[int, Field(ge=2, le=BEST)] = 5
    pruning: Literal["none", "wilcoxon"] = "none"
    constraints: Sequence[str] = ()
    record: Literal["all", "objective"] = "all"
    cache: Annotated[int, Field(ge=0)] = 2_000
    warm_start: Path | None = None
    warm_points: Annotated[int, Field(ge=1)] = 20
    warmed: WarmedSettings | None = None
    storage: str | None = JOURNAL

    @field_validator("warm_start")
    @classmethod
    def _absolute(cls, value: Path | None) -> Path | None:
        return value.expanduser().absolute() if value else None

    @field_validator("sampler")
    @classmethod
    def _resolve_alias(cls, value: str) -> str:
        return "nsga2" if value == "genetic" else value

    @field_validator("space", mode="before")
    @classmethod
    def _by_path(cls, value: Any) -> Any:
        return dict(_flat(value)) if isinstance(value, Mapping) else value

    @field_validator("objective")
    @classmethod
    def _is_objective(cls, value: str) -> str:
        if value.isidentifier() and value not in (*OBJECTIVES, *COMPOSITES):
            raise ConfigError(f"search.objective: {unknown_name('objective', value, [*OBJECTIVES, *COMPOSITES])}")
        # A formula is read once here, so that what is wrong with it is told before anything runs.
        Choice(value, 1).formula  # noqa: B018
        return value

    @field_validator("storage")
    @classmethod
    def _is_place(cls, value: str | None) -> str | None:
        return None if value is None else checked_place(value)

    @field_serializer("storage")
    def _without_password(self, value: str | None) -> str | None:
        return None if value is None else shown_place(value)

    @model_validator(mode="after")
    def _go_together(self) -> Self:
        """Refuse objectives that are none, and one that chooses among them without being declared as such."""
        if not self.objectives:
            return self
        Choice(self.objective, 1, self.objectives).formulas  # noqa: B018
        if len(set(self.objectives)) < max(2, len(self.objectives)):
            shown = ", ".join(self.objectives)
            raise ConfigError(f"search.objectives: [{shown}]; allowed: two or more different ones, or []")
        if self.objective in OBJECTIVES and self.objective not in self.objectives:
            raise ConfigError(
                f"search.objective: {self.objective} chooses among the fronts and is none of search.objectives; "
                f"allowed: {', '.join(self.objectives)}, or a formula"
            )
        if self.sampler == "cmaes":
            raise ConfigError(
                "search.objectives: cmaes learns from one number; allowed with: grid, random, qmc, tpe, nsga2, or []"
            )
        return self
