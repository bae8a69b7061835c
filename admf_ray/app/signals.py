"""Signals that stop what runs: as Ctrl-C does, and whatever hides it."""

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

__all__ = ["is_stopping", "stopped_by_signals"]

_AGAIN_SECONDS = 1.0


@contextmanager
def stopped_by_signals() -> Iterator[None]:
    """Have SIGTERM stop the block as Ctrl-C does, and SIGHUP, unless it is ignored (nohup).

    What is raised while a library clears errors (types of arguments that a kernel is called with, finalizers) is lost:
    it is raised again every second until the block has been left. What cleans up on the way out is left in peace.
    """
    again: list[threading.Timer] = []
    handled = sys.exception()

    def stop(number: int, frame: FrameType | None) -> None:  # noqa: ARG001  (what a handler of signals is given)
        timer = threading.Timer(_AGAIN_SECONDS, os.kill, (os.getpid(), number))
        timer.daemon = True
        timer.start()
        again.append(timer)
        if not is_stopping(handled):
            raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    numbers = [signal.SIGINT, signal.SIGTERM]
    if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:
        numbers.append(signal.SIGHUP)
    before = {number: signal.signal(number, stop) for number in numbers}
    try:
        yield
    except SystemExit as end:
        # What Ray makes of SIGTERM while it starts.
        if end.code != signal.SIGTERM:
            raise
        raise KeyboardInterrupt from end
    finally:
        for number in before:
            signal.signal(number, signal.SIG_IGN)
        for timer in again:
            timer.cancel()
        # One that has begun to send its signal must have sent it before others take signals.
        for timer in again:
            timer.join()
        for number, handler in before.items():
            signal.signal(number, handler)


def is_stopping(handled: BaseException | None) -> bool:
    """Say whether an interrupt is on its way out: blocks that it leaves are cleaning up.

    What the caller was handling before is none.
    """
    error = sys.exception()
    while error is not None and error is not handled and not isinstance(error, KeyboardInterrupt):
        error = error.__context__
    return error is not None and error is not handled
