"""What all sections of the settings have in common, and values that several of them hold."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["Fraction", "NotNegative", "Positive", "Section", "SpanSettings"]

Positive = Annotated[float, Field(gt=0)]
NotNegative = Annotated[float, Field(ge=0)]
Fraction = Annotated[float, Field(gt=0, lt=1)]


class Section(BaseModel):
    """Frozen; options that there are not are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class SpanSettings(Section):
    """``span`` and ``classifier.fit``: bars known after ``start`` and up to ``stop``."""

    start: str | None = None
    stop: str | None = None
