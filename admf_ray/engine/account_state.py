"""The account of a container: the records of the compiled engine, and its kernel, which does parts of bars."""

from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import types

from admf_ray.core.kernels import SIZING
from admf_ray.core.records import ACCOUNT, FILL, HOLDING
from admf_ray.engine.setup import Setup
from admf_ray.engine.simulate import STEPWISE, Part, simulation
from admf_ray.portfolio.account import open_account, reopen_account
from admf_ray.risk.sizing import SIZINGS

__all__ = ["AccountState"]

_FILLS_A_BAR = 8
# Plain numbers: looking up the members of an enum takes a good part of a bar.
_MARK, _DECIDE = int(Part.MARK), int(Part.DECIDE)
# What is done of a bar at which nothing happens.
_QUIET = int(Part.MARK | Part.END)


@cache
def _entry(decides: bool) -> Any:
    """Give the compiled code itself: finding out what its arguments are takes longer than a bar.

    Nothing checks the arguments then: matrix and session must be C-contiguous, as the strategy's kernel, which is
    called through its checks, has seen them to be.
    """
    kernel = simulation(STEPWISE, decides)
    return kernel.overloads[kernel.signatures[0]].entry_point


class _SizingAddress(types.WrapperAddressProtocol):
    """A compiled sizing whose address is looked up once, not at every call that it is handed to."""

    def __init__(self, kernel: Any) -> None:
        found = kernel.get_compile_result(kernel.nopython_signatures[0])
        self._kernel = kernel
        self._address = found.library.get_pointer_to_function(found.fndesc.llvm_cfunc_wrapper_name)

    def __wrapper_address__(self) -> int:
        return int(self._address)

    def signature(self) -> Any:
        return SIZING


@cache
def _sizing_address(name: str) -> _SizingAddress:
    return _SizingAddress(SIZINGS[name].kernel)


class AccountState:
    """One account over one segment, of which parts of bars are done one by one.

    Attributes
    ----------
    account : `ACCOUNT` array, shape [1]
    holdings : `HOLDING` array, shape [symbol]
    targets : float64 array, shape [symbol, time]
        What is wanted at each bar; NaN where that is not known.
    record : `RULES` array, shape [1]
    path : float64 array, shape [1 + symbol, bar]
        Equity and quantities at each close.
    fill_count, order_count : int
        So far.
    is_waiting : bool
        Whether an order waits.
    is_exposed : bool
        Whether something was held at the close before; kept by the portfolio where exits need it.
    protects : bool
        Whether there are protective exits.
    """

    def begin(self, setup: Setup, span: tuple[int, int]) -> None:
        """Open the account of a candidate for a segment, half-open, in bars."""
        start, stop = span
        bars, rules = setup.bars, setup.rules
        symbols = len(bars.symbols)
        self.account = np.empty(1, dtype=ACCOUNT)
        self.holdings = np.empty(symbols, dtype=HOLDING)
        open_account(self.account[0], self.holdings, setup.flat, rules.cash)
        self.targets = np.full((symbols, stop), np.nan)
        self.path = np.empty((1 + symbols, stop - start))
        self.record = rules.record(bars.periods_per_year)
        self._inputs = setup.matrix, bars.session, self.targets, rules.limit_records(bars.symbols), self.record
        self._sizing = _sizing_address(rules.sizing)
        self._decide, self._settle = _entry(True), _entry(False)
        self._leaving = {stop - 1, *self.holdings["last_bar"].tolist()}
        self._stop = stop
        self._ledger = np.empty(max(64, _FILLS_A_BAR * symbols), dtype=FILL)
        self._nothing = np.empty((0, stop), dtype=np.int64), np.empty((0, 0, 4))
        self._due = 0
        self._carries = bool(self.record["interest"][0] or self.record["borrow_rate"][0] or self.record["loan_rate"][0])
        self.protects = any(self.record[f"{name}_kind"][0] for name in ("stop", "profit", "trail"))
        self._counts = self.account[0]
        self.fill_count = 0
        self.order_count = 0
        self.is_waiting = False
        self.is_exposed = False

    def go_on(self, account: npt.NDArray[Any]) -> None:
        """Take over an account that ended elsewhere: this segment is another piece of its path; before any bar."""
        self.account[:] = account
        reopen_account(self.account[0], self.holdings, self.holdings.copy())

    def reset(self) -> None:
        """Let the candidate go."""
        self.__dict__.pop("_inputs", None)

    def postpone_mark(self) -> None:
        """Mark with the next part that is done: nobody looks at the account in between."""
        self._due = _MARK

    def do_part(self, part: int, bar: int) -> None:
        """Do a part of a bar (`Part`), after the mark if that was postponed; each once, in order."""
        due, self._due = self._due | part, 0
        is_quiet = due == _QUIET
        if not is_quiet and len(self._ledger) - self.fill_count < _FILLS_A_BAR * len(self.holdings):
            self._ledger = np.concatenate([self._ledger, np.empty_like(self._ledger)])
        decides = due & _DECIDE
        (self._decide if decides else self._settle)(
            self._sizing if decides else None,
            *self._inputs,
            bar,
            bar + 1,
            self._stop,
            self.account,
            self.holdings,
            *STEPWISE.flags,
            self.path,
            self._ledger,
            *self._nothing,
            due,
        )
        if not is_quiet:
            self.is_waiting = bool(self.holdings["pending"].any())
            self.fill_count = int(self._counts["fills"])
            self.order_count = int(self._counts["orders"])

    def closes_positions(self, bar: int) -> bool:
        """Whether the mark of a bar may close positions: the segment ends, or a symbol was traded for the last time."""
        return bar in self._leaving

    @property
    def opens_with_something(self) -> bool:
        """Whether a bar's opening may change anything: orders wait, time costs, or levels protect a position."""
        return self.is_waiting or self._carries or (self.protects and self.is_exposed)

    @property
    def cash(self) -> float:
        """Cash now."""
        return float(self._counts["cash"])

    @property
    def fills(self) -> npt.NDArray[Any]:
        """The ledger so far."""
        return self._ledger[: self.fill_count]
