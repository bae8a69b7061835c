"""Settings of the data, of what is held out of it, and of the windows that are cut out of it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator

from admf_ray.app.sections import Section
from admf_ray.core.bars import Adjustment
from admf_ray.data import DataRequest, Sanity, Span, parse_date

__all__ = ["CombinatorialWindows", "DataSettings", "HoldoutSettings", "RollingWindows", "SplitWindows"]

_SPAN_FIELDS = ("train", "test", "step", "gap")


class SanitySettings(Section):
    """``data.sanity``: see `admf_ray.data.request.Sanity`."""

    mode: Literal["enforce", "warn", "off"] = "enforce"
    profile: Literal["strict", "relaxed"] = "strict"
    max_na_fraction: Annotated[float, Field(ge=0, le=1)] | None = None
    allow_sort: bool | None = None
    allow_drop_duplicates: bool | None = None
    allow_clip_prices: bool | None = None
    forward_fill_bars: Annotated[int, Field(ge=0)] | None = None
    hold_on_nan: bool | None = None
    require_utc: bool | None = None


class DataSettings(Section):
    """``data``: see `admf_ray.data.request.DataRequest`."""

    source: str = "sp500"
    path: str | None = None
    symbol: str | None = None
    symbols: tuple[str, ...] | None = None
    calendar: str | None = None
    timezone: str | None = None
    stamp: Literal["open", "close"] = "close"
    timeframe: str | None = None
    adjust: Adjustment = "none"
    periods_per_year: Annotated[float, Field(gt=0)] | None = None
    ohl_from_close: bool = False
    min_history_bars: Annotated[int, Field(ge=0)] | None = None
    columns: Mapping[str, str] = {}
    delimiter: str | None = None
    decimal: Literal[".", ","] | None = None
    date_format: str | None = None
    start: str | None = None
    stop: str | None = None
    sanity: SanitySettings = SanitySettings()
    synthetic: Mapping[str, int | float | str] = {}

    @property
    def request(self) -> DataRequest:
        """What is asked of the source."""
        return DataRequest(
            **{
                **dict(self),
                "sanity": Sanity(**dict(self.sanity)),
                "synthetic": dict(self.synthetic),
                "columns": dict(self.columns),
            }
        )

    @field_validator("path")
    @classmethod
    def _absolute(cls, value: str | None) -> str | None:
        return str(Path(value).expanduser().absolute()) if value else None


class HoldoutSettings(Section):
    """``holdout``: bars known after ``start`` are kept from everything that trades, until they are opened once."""

    start: str | None = None
    open: bool = False

    @field_validator("start")
    @classmethod
    def _is_date(cls, value: str | None) -> str | None:
        if value is not None:
            parse_date(value, "holdout.start")
        return value


class RollingWindows(Section):
    """``windows`` of kind rolling or anchored: see `admf_ray.data.windows.WindowPlan`."""

    kind: Literal["rolling", "anchored", "expanding"] = "rolling"
    train: str = "4y"
    test: str = "1y"
    step: str | None = None
    gap: str = "0b"
    align: Literal["none", "month", "quarter", "year"] = "year"
    allow_truncated_final: bool = False
    require_stress: Literal["warn", "enforce"] | None = None

    @field_validator(*_SPAN_FIELDS)
    @classmethod
    def _is_span(cls, value: str | None, info: Any) -> str | None:
        return value if value is None else str(Span.parse(value, f"windows.{info.field_name}"))

    @field_validator("kind")
    @classmethod
    def _resolve_alias(cls, value: str) -> str:
        return "anchored" if value == "expanding" else value


class SplitWindows(Section):
    """``windows`` of kind split: the dates at which train, validation and test begin."""

    kind: Literal["split"]
    train: str | None = None
    validation: str
    test: str
    gap: str = "0b"
    require_stress: Literal["warn", "enforce"] | None = None

    @field_validator("gap")
    @classmethod
    def _is_span(cls, value: str) -> str:
        return str(Span.parse(value, "windows.gap"))


class CombinatorialWindows(Section):
    """``windows`` of kind cpcv: see `admf_ray.data.combinatorial.CombinatorialPlan`."""

    kind: Literal["cpcv"]
    groups: Annotated[int, Field(ge=2)] = 6
    tests: Annotated[int, Field(ge=1)] = 2
    gap: str = "0b"
    embargo: str | None = None
    require_stress: Literal["warn", "enforce"] | None = None

    @field_validator("gap", "embargo")
    @classmethod
    def _is_span(cls, value: str | None, info: Any) -> str | None:
        return value if value is None else str(Span.parse(value, f"windows.{info.field_name}"))
