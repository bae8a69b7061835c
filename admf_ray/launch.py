"""The entry point: ``python -m admf_ray.launch +experiment=walkforward [group=option] [key=value]``."""

import argparse
import errno
import sys
from collections.abc import Sequence

from rich.console import Console

from admf_ray.app.signals import stopped_by_signals
from admf_ray.errors import AdmfError
from admf_ray.logs import json_log

__all__ = ["main"]

_WIDTH = 130
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one experiment.

    Returns
    -------
    int
        0 good, 1 failed or refuted, 2 bad input or option, 130 interrupted.
    """
    try:
        with stopped_by_signals():
            return _run(arguments)
    except AdmfError as error:
        _say(f"error: {error}", error)
        return error.exit_code
    except OSError as error:
        if error.errno not in _NO_ROOM:
            raise
        _say(f"error: {error}", error)
        return 1
    except KeyboardInterrupt as stop:
        _say("interrupted", stop)
        # An interrupt that passed through `exec` of a string (of dataclasses, of plugins) has Python end by SIGINT, and
        # not with 130, unless another one has ended well since.
        exec("")
        return 130


def _run(arguments: Sequence[str] | None) -> int:
    # What takes long to import is imported where a signal stops it as it does everything else.
    from admf_ray.app.configuration import compose_settings, experiment_lines
    from admf_ray.app.dispatch import execute

    parser = argparse.ArgumentParser(
        prog="python -m admf_ray.launch",
        description="Walk-forward optimization of trading strategies on Ray.",
        epilog=f"experiments:\n{experiment_lines()}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("overrides", nargs="*", metavar="option", help="+experiment=NAME, group=option or key=value")
    parser.add_argument("--config-dir", "-cd", help="a directory with configurations of your own")
    parser.add_argument("--config-name", "-cn", default="config", help="the configuration to start from")
    options = parser.parse_intermixed_args(arguments)
    settings = compose_settings(options.overrides, options.config_dir, options.config_name)
    if settings.logging.format == "json":
        with json_log(settings.logging.level):
            return execute(settings, Console(quiet=True))
    return execute(settings, _console())


def _say(what: str, error: BaseException) -> None:
    print("\n".join([what, *getattr(error, "__notes__", ())]), file=sys.stderr)


def _console() -> Console:
    """Give the console: as wide as the terminal, and wide enough for every table where there is none."""
    console = Console()
    return console if console.is_terminal else Console(width=_WIDTH)


if __name__ == "__main__":
    sys.exit(main())
