"""What checks of market data found, and what was repaired: a report that travels with the bars."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

__all__ = ["DataReport", "Finding", "Outcome"]

Outcome = Literal["refused", "repaired", "warned"]
_SHOWN = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One defect of market data.

    Attributes
    ----------
    rule : str
        Of the checks, in the order in which they run.
    outcome : {"refused", "repaired", "warned"}
    what : str
        What is wrong, or what was done about it.
    symbol : str
        Empty where it concerns the whole table.
    time : str
        Of the bar, as the source wrote it; empty where it concerns no single bar.
    row : int
        Number of the bar in its file, from 1; 0 where it concerns no single bar.
    origin : str
        File or source.
    known_at : int or None
        Nanoseconds UTC; None where the bar has no moment.
    value : float or str or None
        The offending value, or what took the place of a missing one.
    """

    rule: str
    outcome: Outcome
    what: str
    symbol: str = ""
    time: str = ""
    row: int = 0
    origin: str = ""
    known_at: int | None = None
    value: float | str | None = None

    def __str__(self) -> str:
        """Say it in one line."""
        bar = f"bar {self.time} (row {self.row})" if self.row else ""
        place = " ".join(part for part in (self.symbol, bar) if part)
        value = (
            "" if self.value is None else f": {self.value:g}" if isinstance(self.value, float) else f": '{self.value}'"
        )
        return f"{f'{place}: ' if place else ''}{self.what}{value}"


@dataclass(frozen=True, slots=True, kw_only=True)
class DataReport:
    """How a source was read, what was checked, found and repaired.

    Attributes
    ----------
    origin : str
        File, folder or source.
    checks : mapping
        Mode, profile and every limit that was applied.
    reading : mapping
        What was detected or assumed while reading: delimiter, decimal mark, unit of epochs, zone, ...
    findings : tuple of Finding
        In the order of the rules, then of the panel's symbols, then of time.
    """

    origin: str
    checks: Mapping[str, Any] = field(default_factory=dict)
    reading: Mapping[str, Any] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()

    def with_outcome(self, outcome: Outcome) -> tuple[Finding, ...]:
        """Give the findings with one outcome."""
        return tuple(finding for finding in self.findings if finding.outcome == outcome)

    def counts(self) -> dict[str, dict[str, int]]:
        """Give the number of findings by outcome and rule."""
        counted: dict[str, dict[str, int]] = {}
        for (outcome, rule), count in Counter((finding.outcome, finding.rule) for finding in self.findings).items():
            counted.setdefault(outcome, {})[rule] = count
        return counted

    def lines(self, outcome: Outcome, shown: int = _SHOWN) -> list[str]:
        """Give the findings of an outcome as lines, at most ``shown`` for each rule."""
        by_rule: dict[str, list[Finding]] = {}
        for finding in self.with_outcome(outcome):
            by_rule.setdefault(finding.rule, []).append(finding)
        lines = []
        for rule, findings in by_rule.items():
            for finding in findings[:shown]:
                origin = f"{finding.origin}: " if finding.origin not in {"", self.origin} else ""
                lines.append(f"{rule}: {origin}{finding}")
            if len(findings) > shown:
                lines.append(f"{rule}: ... and {len(findings) - shown:,} more")
        return lines

    def plain(self) -> dict[str, Any]:
        """Give the report as plain values, for files."""
        return {
            "origin": self.origin,
            "checks": dict(self.checks),
            "reading": dict(self.reading),
            "counts": self.counts(),
            "findings": [asdict(finding) for finding in self.findings],
        }

    @classmethod
    def from_plain(cls, values: Mapping[str, Any]) -> "DataReport":
        """Read plain values back."""
        findings: Sequence[Mapping[str, Any]] = values["findings"]
        return cls(
            origin=values["origin"],
            checks=values["checks"],
            reading=values["reading"],
            findings=tuple(Finding(**finding) for finding in findings),
        )
