"""Signals that stop what runs: as Ctrl-C does, and whatever hides it."""

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

__all__ = ["stopped_by_signals"]

_AGAIN_SECONDS = 1.0


@contextmanager
def stopped_by_signals() -> Iterator[None]:
    """Have SIGTERM stop the block as Ctrl-C does, and SIGHUP, unless it is ignored (nohup).

    What is raised while a library clears errors (types of arguments that a kernel is called with, finalizers) is lost:
    it is raised again every second until the block has been left. What cleans up on the way out is left in peace; where
    that raises an error of its own, which hides the interrupt, the block is left with an interrupt all the same.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    again: list[threading.Timer] = []
    handled = sys.exception()
    is_deaf = False

    def stop(number: int, frame: FrameType | None) -> None:  # noqa: ARG001  (what a handler of signals is given)
        nonlocal is_deaf
        if is_deaf:
            return
        # Another signal now would raise before the timer is in the list.
        is_deaf = True
        timer = threading.Timer(_AGAIN_SECONDS, os.kill, (os.getpid(), number))
        timer.daemon = True
        timer.start()
        again.append(timer)
        is_deaf = False
        if not _is_stopping(handled):
            raise KeyboardInterrupt

    numbers = [signal.SIGINT, signal.SIGTERM]
    if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:
        numbers.append(signal.SIGHUP)
    before = {number: signal.getsignal(number) for number in numbers}
    try:
        for number in numbers:
            signal.signal(number, stop)
        yield
    except (SystemExit, Exception) as error:
        # What Ray makes of SIGTERM while it starts.
        is_exit = isinstance(error, SystemExit) and error.code == signal.SIGTERM
        if not is_exit and not _is_stopping(handled):
            raise
        interrupt = KeyboardInterrupt()
        for note in getattr(error, "__notes__", ()):
            interrupt.add_note(note)
        raise interrupt from error
    finally:
        is_deaf = True
        for number in numbers:
            signal.signal(number, signal.SIG_IGN)
        for timer in again:
            timer.cancel()
        # One that has begun to send its signal must have sent it before others take signals.
        for timer in again:
            timer.join()
        for number, handler in before.items():
            signal.signal(number, handler)


def _is_stopping(handled: BaseException | None) -> bool:
    """Say whether an interrupt is on its way out: blocks that it leaves are cleaning up.

    What the caller was handling before is none.
    """
    error = sys.exception()
    while error is not None and error is not handled and not isinstance(error, KeyboardInterrupt):
        error = error.__context__
    return error is not None and error is not handled
