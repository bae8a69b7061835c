"""Worked examples of halts and margin calls (SEMANTICS 3, step 4) and of what follows them.

Unless said otherwise: all of 10,000 is spent on 100 units at the open of bar 1 at 100, so that equity is 100 x close.
"""

from typing import Any

import pytest

from admf_ray.core.records import AccountKind, FillPolicy, Halt, OrderKind, Reason, Reentry, TimeInForce
from tests.parity.kernel import Simulated
from tests.unit.engine.account import bars_of, deals, simulated

MARGIN = {"account": AccountKind.MARGIN, "allow_short": True}
ENTRY = (1, 100, 100, Reason.SIGNAL)
# The equity peaks at 11,200 and falls to 9,800: -12.5%.
FALL = [100, 100, 112, 98, 97, 96, 95, 94, 93]


def halted(rows: Any, targets: Any, **rules: Any) -> Simulated:
    session = rules.pop("session", None)
    return simulated(bars_of(rows, session=session), targets, **{"size": 100.0, **rules})


def test_a_drawdown_from_the_peak_sells_at_the_next_open_and_ends_trading() -> None:
    # Sold at the open of bar 4 (97); a reset and new signals afterwards change nothing.
    found = halted(FALL, [1.0, 1.0, 1.0, 1.0, 1.0, 0.0, 1.0, 0.5, 1.0], max_drawdown=0.125)
    assert deals(found) == [ENTRY, (4, -100, 97, Reason.HALT)]
    assert found.equity.tolist() == [10_000, 10_000, 11_200, 9_800, 9_700, 9_700, 9_700, 9_700, 9_700]
    assert (found.account["halt"], found.account["halted_at"]) == (Halt.DRAWDOWN, 3)
    assert found.account["signals"] == 1


def test_a_smaller_drawdown_does_not_halt() -> None:
    # 98.25 / 112 - 1 = -12.3%; the low of 50 inside the bar is not marked.
    found = halted([100, 100, 112, (112, 112, 50, 98.25), 98.25], [1.0] * 5, max_drawdown=0.125)
    assert deals(found) == [ENTRY]


def test_the_peak_starts_at_the_initial_equity() -> None:
    # Bought at 100 x 1.25, worth 100: 10,000 - 80 x 25 = 8,000 on the first bar that holds it, -20%.
    found = halted([100, 100, 100], [1.0] * 3, slippage_bps=2_500, size=80, max_drawdown=0.19)
    assert deals(found) == [(1, 80, 125, Reason.SIGNAL), (2, -80, 75, Reason.HALT)]


def test_a_halt_at_the_close_sells_at_that_close() -> None:
    found = halted(FALL[:4], [1.0] * 4, max_drawdown=0.125, fill=FillPolicy.CLOSE)
    assert deals(found) == [(0, 100, 100, Reason.SIGNAL), (3, -100, 98, Reason.HALT)]


def test_a_halt_comes_before_the_signal_of_its_bar() -> None:
    # The target of 0.5 at bar 3 is no signal: all is sold.
    found = halted(FALL[:5], [1.0, 1.0, 1.0, 0.5, 0.5], max_drawdown=0.125)
    assert deals(found) == [ENTRY, (4, -100, 97, Reason.HALT)]
    assert found.account["signals"] == 1


def test_after_the_pause_the_symbol_is_entered_again_once_its_target_was_reset() -> None:
    # Halted at bar 3, over at bar 5. 1 and 0.5 are of the side that was sold; 0 at bar 6 resets; 1 at bar 7 is bought
    # at the open of bar 8 (93).
    found = halted(FALL, [1.0, 1.0, 1.0, 1.0, 1.0, 0.5, 0.0, 1.0, 1.0], max_drawdown=0.125, drawdown_pause=2)
    assert deals(found) == [ENTRY, (4, -100, 97, Reason.HALT), (8, 100, 93, Reason.SIGNAL)]


def test_immediate_reentry_acts_on_the_first_signal_after_the_pause() -> None:
    # The 0.25 of bar 4 falls into the halt and is no signal. The 0.5 of bar 5 is one.
    found = halted(
        FALL[:7],
        [1.0, 1.0, 1.0, 1.0, 0.25, 0.5, 0.5],
        max_drawdown=0.125,
        drawdown_pause=2,
        reentry=Reentry.IMMEDIATE,
    )
    assert deals(found) == [ENTRY, (4, -100, 97, Reason.HALT), (6, 50, 95, Reason.SIGNAL)]


def test_what_is_wanted_during_the_halt_has_to_be_wanted_anew() -> None:
    # 0 at bar 4 resets, 1 at bar 5 (still halted) blocks again, so that it is not bought after the halt, at bar 6.
    targets = [1.0, 1.0, 1.0, 1.0, 0.0, 1.0, 1.0, 1.0, 1.0]
    found = halted(FALL, targets, max_drawdown=0.125, drawdown_pause=3)
    assert deals(found) == [ENTRY, (4, -100, 97, Reason.HALT)]


def test_after_the_pause_the_peak_starts_anew() -> None:
    # Over at bar 5 with 9,700. In again at bar 6 at 95: 50 units, 4,950 in cash. At 80 the equity is 8,950,
    # 7.7% below 9,700 but 20% below 11,200; at 70 it is 8,450: -12.9%, sold at the open of bar 9.
    found = halted(
        [100, 100, 112, 98, 97, 96, 95, 80, 70, 70],
        [1.0, 1.0, 1.0, 1.0, 1.0, 0.5, 0.5, 0.5, 0.5, 0.5],
        max_drawdown=0.125,
        drawdown_pause=2,
        reentry=Reentry.IMMEDIATE,
    )
    assert deals(found)[2:] == [(6, 50, 95, Reason.SIGNAL), (9, -50, 70, Reason.HALT)]
    assert found.account["halted_at"] == 8


SESSIONS = [0, 0, 1, 1, 1, 2, 2, 2]


def test_a_daily_loss_is_from_the_session_before_and_lasts_to_the_end_of_this_one() -> None:
    # Session 0 ends with 10,000. 9,700 at bar 2: -3%. 9,400 at bar 3: -6%, sold at the open of bar 4 (93).
    # Session 2 starts at bar 5 with 9,300; 0 at bar 5 resets, 1 at bar 6 is bought at the open of bar 7.
    found = halted(
        [100, 100, 97, 94, 93, 92, 91, 90],
        [1.0, 1.0, 1.0, 1.0, 1.0, 0.0, 1.0, 1.0],
        session=SESSIONS,
        daily_loss=0.05,
    )
    assert deals(found) == [ENTRY, (4, -100, 93, Reason.HALT), (7, 100, 90, Reason.SIGNAL)]


def test_within_its_session_a_daily_loss_allows_no_entry() -> None:
    targets = [1.0, 1.0, 1.0, 0.0, 1.0, 0.5, 0.5, 0.5]
    rows = [100, 100, 94, 93, 92, 91, 90, 89]
    found = halted(rows, targets, session=SESSIONS, daily_loss=0.05, reentry=Reentry.IMMEDIATE)
    # Sold at bar 3. The signals of bars 3 and 4 fall into the halt; that of bar 5, in session 2, is acted on.
    assert deals(found) == [ENTRY, (3, -100, 93, Reason.HALT), (6, 50, 90, Reason.SIGNAL)]


def test_losses_of_two_sessions_do_not_add_up() -> None:
    # 97 after 100, 93.5 after 97: -3% and -3.6%.
    found = halted([100, 100, 97, 97, 97, 93.5, 93.5, 93.5], [1.0] * 8, session=SESSIONS, daily_loss=0.05)
    assert deals(found) == [ENTRY]


def test_on_daily_bars_a_daily_loss_sells_at_the_next_open_and_is_over_then() -> None:
    # -6% at bar 2, sold at the open of bar 3, at whose close 0.5 is a signal again.
    found = halted([100, 100, 94, 93, 92], [1.0, 1.0, 1.0, 0.5, 0.5], daily_loss=0.05, reentry=Reentry.IMMEDIATE)
    assert deals(found) == [ENTRY, (3, -100, 93, Reason.HALT), (4, 50, 92, Reason.SIGNAL)]


def test_a_first_session_is_measured_from_the_initial_equity() -> None:
    found = halted([100, 100, 94, 93], [1.0] * 4, session=[0, 0, 0, 0], daily_loss=0.05)
    assert deals(found)[1] == (3, -100, 93, Reason.HALT)


def test_an_account_that_has_lost_all_is_closed_for_good() -> None:
    # 100 sold at 100: cash 20,000. At 250 they owe 25,000: equity -5,000. Bought back at 260: -6,000.
    # Neither a pause nor a new session brings it back.
    found = halted(
        [100, 100, 250, 260, 100, 100, 100],
        [-1.0, -1.0, -1.0, -1.0, 0.0, 1.0, 1.0],
        margin_requirement=0.1,
        max_drawdown=0.5,
        drawdown_pause=1,
        daily_loss=0.5,
        **MARGIN,
    )
    assert deals(found) == [(1, -100, 100, Reason.SIGNAL), (3, 100, 260, Reason.HALT)]
    assert found.equity.tolist() == [10_000, 10_000, -5_000, -6_000, -6_000, -6_000, -6_000]
    assert found.account["halt"] == Halt.RUIN


def test_a_margin_call_sells_all_but_is_no_halt() -> None:
    # 200 at 100 for 20,000, of which 10,000 are borrowed. At 67: 3,400 / 13,400 = 25.4% is enough.
    # At 66: 3,200 / 13,200 = 24.2% is not: sold at the next open, 65. 0 at bar 4 resets, 0.5 at bar 5 is a signal:
    # 100 of them for 6,300 at bar 6, where 3,000 / 6,300 is enough.
    found = halted(
        [100, 100, 67, 66, 65, 64, 63],
        [1.0, 1.0, 1.0, 1.0, 0.0, 0.5, 0.5],
        size=200,
        account=AccountKind.MARGIN,
    )
    assert deals(found) == [
        (1, 200, 100, Reason.SIGNAL),
        (4, -200, 65, Reason.MARGIN_CALL),
        (6, 100, 63, Reason.SIGNAL),
    ]
    assert found.account["halt"] == Halt.NONE


@pytest.mark.parametrize(
    ("reentry", "again"), [(Reentry.RESET, []), (Reentry.IMMEDIATE, [(5, 100, 64, Reason.SIGNAL)])]
)
def test_after_a_margin_call_the_same_side_is_blocked_unless_reentry_is_immediate(reentry, again) -> None:
    found = halted(
        [100, 100, 66, 65, 65, 64],
        [1.0, 1.0, 1.0, 1.0, 0.5, 0.5],
        size=200,
        account=AccountKind.MARGIN,
        reentry=reentry,
    )
    assert deals(found) == [(1, 200, 100, Reason.SIGNAL), (3, -200, 65, Reason.MARGIN_CALL), *again]


def test_a_short_is_called_as_a_long_is() -> None:
    # 100 sold at 100: cash 20,000. At 160: 4,000 / 16,000 = 25% is just enough; at 164: 3,600 / 16,400 = 22%.
    found = halted([100, 100, 160, 164, 165], [-1.0] * 5, **MARGIN)
    assert deals(found) == [(1, -100, 100, Reason.SIGNAL), (4, 100, 165, Reason.MARGIN_CALL)]


def test_a_halt_takes_back_the_orders_that_wait() -> None:
    # B rests at 93.75 when A halts the account at bar 2; bar 4, after the halt, trades there.
    found = simulated(
        bars_of([100, (100, 100, 93, 94), 80, 80, 80], [100, 100, 100, 100, (100, 100, 90, 95)]),
        [[1.0] * 5, [1.0] * 5],
        size=50,
        max_drawdown=0.05,
        drawdown_pause=1,
        order=OrderKind.LIMIT,
        offset=0.0625,
        time_in_force=TimeInForce.CANCEL,
    )
    assert deals(found) == [(1, 50, 93.75, Reason.SIGNAL), (3, -50, 80, Reason.HALT)]


def test_all_symbols_are_sold() -> None:
    # A falls by 30: 50 x 30 = 1,500 of 10,000. B, which has not moved, goes as well.
    found = simulated(bars_of([100, 100, 70, 70], [100] * 4), [[1.0] * 4] * 2, size=50, max_drawdown=0.1)
    assert [(symbol, *deal) for symbol, deal in zip(found.fills["symbol"].tolist(), deals(found), strict=True)] == [
        (0, 1, 50, 100, Reason.SIGNAL),
        (1, 1, 50, 100, Reason.SIGNAL),
        (0, 3, -50, 70, Reason.HALT),
        (1, 3, -50, 100, Reason.HALT),
    ]
