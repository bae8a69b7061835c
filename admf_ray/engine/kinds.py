"""Kinds of candidates: those with the same account and the same member of a composition are simulated together."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from admf_ray.engine.account_options import is_option, with_options
from admf_ray.engine.composition import Composition
from admf_ray.engine.spec import AccountRules

__all__ = ["Columns", "Kind", "Opening", "Standalone"]


@dataclass(frozen=True, slots=True)
class Kind:
    """What candidates have in common that differ in the parameters of strategies and classifiers only.

    Attributes
    ----------
    member : int
        That trades, of a composition of which one does; else 0.
    composition : Composition
        What decides: that member by itself, or the composition that is searched.
    rules : AccountRules
    slots, params : int64 array
        Which slots and which columns of a candidate are those of the composition.
    """

    member: int
    composition: Composition
    rules: AccountRules
    slots: npt.NDArray[np.int64]
    params: npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Standalone:
    """A candidate, or several that trade together, as something that runs by itself.

    Attributes
    ----------
    member : str or None
        Of the strategies of which one trades, the one that does; None where there are no others.
    parameters : dict of str to float
        Of what trades, by their names when it is by itself; whole numbers as int.
    options : dict of str to float
        Of the account, by their paths.
    others : tuple of str
        Names of further members of the same strategy, where several candidates trade together.
    """

    member: str | None
    parameters: dict[str, float]
    options: dict[str, float]
    others: tuple[str, ...] = ()

    @property
    def named(self) -> dict[str, float | str]:
        """All of it by name, the member as ``strategy``."""
        of_several: dict[str, float | str] = {} if self.member is None else {"strategy": self.member}
        return {**of_several, **self.parameters, **self.options}


@dataclass(frozen=True, slots=True)
class Columns:
    """What the columns of candidates say: options of the account first, then the parameters of a composition.

    This is the one place that makes rules of an account and a composition that trades out of a candidate.

    Attributes
    ----------
    composition : Composition
        That is searched.
    rules : AccountRules
        Of the options that are not searched.
    options : tuple of str
        Paths of those that are; see `admf_ray.engine.account_options.ACCOUNT_OPTIONS`.
    """

    composition: Composition
    rules: AccountRules
    options: tuple[str, ...]

    @classmethod
    def of(cls, composition: Composition, rules: AccountRules, names: Sequence[str]) -> "Columns":
        """Give them by the names of all columns."""
        return cls(composition, rules, tuple(name for name in names if is_option(name)))

    @property
    def leading(self) -> int:
        """How many columns, the first ones, say of which kind a candidate is."""
        return len(self.options) + self.composition.is_one_of

    def kind(self, candidate: npt.NDArray[np.float64]) -> Kind:
        """Give the kind of a candidate, shape [parameter]."""
        first = len(self.options)
        member = int(candidate[first]) if self.composition.is_one_of else 0
        alternative = self.composition.alternatives[member]
        rules = with_options(self.rules, dict(zip(self.options, candidate.tolist(), strict=False)))
        return Kind(member, alternative.composition, rules, alternative.slots, first + alternative.params)

    def kinds(self, params: npt.NDArray[np.float64]) -> Iterator[tuple[Kind, npt.NDArray[np.int64]]]:
        """Go through the kinds of candidates, each with the numbers of its candidates.

        Parameters
        ----------
        params : float64 array, shape [candidate, parameter]
        """
        if not self.leading:
            yield self.kind(params[0]), np.arange(len(params))
            return
        sets, of = np.unique(params[:, : self.leading], axis=0, return_inverse=True)
        of = of.reshape(-1)
        # The sets are in order, and candidates of one keep theirs.
        order = np.argsort(of, kind="stable")
        for numbers in np.split(order, np.searchsorted(of[order], np.arange(1, len(sets)))):
            yield self.kind(params[numbers[0]]), numbers

    def members(self, params: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
        """Give the number of candidates, shape [candidate, parameter], in which each member trades."""
        members = params[:, len(self.options)].astype(np.int64)
        return np.bincount(members, minlength=len(self.composition.members))

    def names(self) -> tuple[Any, ...]:
        """Give them in a form that travels; see `Composition.names`."""
        return self.composition.names(), self.rules, self.options

    @classmethod
    def named(cls, names: tuple[Any, ...]) -> "Columns":
        """Give them back out of `names`."""
        composition, *rest = names
        return cls(Composition.named(composition), *rest)


@dataclass(frozen=True, slots=True)
class Opening:
    """What accounts on one series and its hub begin with.

    Attributes
    ----------
    symbols : tuple of str
    periods : float
        Bars a year.
    last_bars : int64 array, shape [symbol]
        See `AccountRules.holdings`.
    begins : int64 array, shape [member, symbol]
        First bars at which each member may have a target.
    rows : mapping of str to int64 array, shape [symbol]
        Of series in the hub that some accounts look at, by the field of `HOLDING` that names them.
    """

    symbols: tuple[str, ...]
    periods: float
    last_bars: npt.NDArray[np.int64]
    begins: npt.NDArray[np.int64]
    rows: Mapping[str, npt.NDArray[np.int64]]

    def flat(self, rules: AccountRules) -> npt.NDArray[Any]:
        """Give the `HOLDING` array from which an account starts; it names no rows that its rules do not look at."""
        looks = {"volatility_row": rules.needs_volatility, "atr_row": rules.needs_atr}
        rows = {name: row for name, row in self.rows.items() if looks[name]}
        return rules.holdings(self.symbols, self.last_bars, **rows)

    def account(self, kind: Kind) -> dict[str, Any]:
        """Give what a sweep takes of a kind's account; see `admf_ray.engine.sweep.run_chunk`."""
        rules, flat = kind.rules, self.flat(kind.rules)
        # What is composed withholds the targets of its members itself.
        begins = self.begins[kind.member] if kind.composition.is_plain else np.zeros_like(self.begins[0])
        return {
            "account": rules,
            "sizing": rules.sizing,
            "variant": tuple(rules.variant(flat)),
            "limits": rules.limit_records(self.symbols),
            "rules": rules.record(self.periods),
            "flat": flat,
            "begins": begins,
        }
