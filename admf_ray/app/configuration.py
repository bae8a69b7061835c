"""Composing the configuration with Hydra, and writing configurations that compose again."""

import math
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import reduce
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from hydra import compose, initialize_config_dir
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from admf_ray.app.compose import member_settings
from admf_ray.app.parsing import allowed_options, parse_settings
from admf_ray.app.settings import Settings
from admf_ray.core.registry import unknown_name
from admf_ray.errors import ConfigError, ReproductionError, first_line
from admf_ray.plugins import active_plugins
from admf_ray.workflow import Variant
from admf_ray.workflow.results import read_json, read_text

__all__ = [
    "compose_settings",
    "config_directory",
    "experiment_lines",
    "experiments",
    "plain_config",
    "settings_yaml",
    "variant_yaml",
]

_VARIABLES = {
    "MAX_POSITION_PCT": ("risk.limits.symbol.max_position", 100.0, math.inf),
    "MAX_GROSS_LEVERAGE": ("risk.limits.portfolio.max_gross_leverage", 1.0, math.inf),
    "DAILY_LOSS_CUT_PCT": ("risk.halts.daily_loss", 100.0, 100.0),
}
_FREE = (
    *("strategy.params", "strategy.space", "strategy.trades_in", "strategy.by_regime"),
    *("classifier.params", "filters", "ensemble.members", "ensemble.weights", "books", "search.space"),
)
"""Options below which names are the user's own; they are checked where they are used."""

_OF_PLACE = (
    *("run_root", "run_name", "run", "runs", "target", "from", "to"),
    *("cluster", "hub", "engine", "logging", "report", "search.cache", "search.storage"),
)
_LOOKING = ("fingerprint", "report")
_ANEW = {"cluster": "local", "hub": "shared", "engine": "compiled", "logging": "console", "report": "html"}
_RECHOSEN = {"windows": "rolling", **_ANEW}


def config_directory() -> Path:
    """Give the directory of the configuration: the wheel's own, or the checkout's."""
    package = Path(__file__).parents[1]
    return package / "conf" if (package / "conf").is_dir() else package.parent / "conf"


def experiments() -> dict[str, str]:
    """Give the experiments there are, with the first comment line of each."""
    found = {}
    for path in sorted(config_directory().glob("experiment/*.yaml")):
        comments = [line[1:].strip() for line in path.read_text().splitlines() if line.startswith("#")]
        found[path.stem] = next((line for line in comments if not line.startswith("@package")), "")
    return found


def experiment_lines() -> str:
    """List the experiments there are, a line each."""
    known = experiments()
    width = max(map(len, known)) + 2
    return "\n".join(f"  {name:<{width}}{line}" for name, line in known.items())


def compose_settings(overrides: Sequence[str], config_dir: str | None = None, config_name: str = "config") -> Settings:
    """Compose and check the configuration.

    Parameters
    ----------
    overrides : sequence of str
        ``+experiment=name``, ``group=option``, ``key=value``.
    config_dir : str, optional
        A directory of the user's own that is searched besides.
    config_name : str
        The configuration to start from.

    Raises
    ------
    ConfigError
        Names the option and what is allowed.
    """
    try:
        parsed = OverridesParser.create().parse_overrides(list(overrides))
        if sweeps := [str(override.input_line) for override in parsed if override.is_sweep_override()]:
            raise ConfigError(f"{sweeps[0]}: several values; allowed: one value, or a list in brackets: [1,2]")
        free = [
            override for override in parsed if f"{override.key_or_group}.".startswith(tuple(f"{one}." for one in _FREE))
        ]
        fixed = [str(override.input_line) for override in parsed if override not in free]
        if any(override.key_or_group == "experiment" and not override.is_add() for override in parsed):
            raise ConfigError(f"experiment: choose it with a plus: +experiment=NAME; allowed:\n{experiment_lines()}")
        given = {override.key_or_group: override.value() for override in parsed}
        with _primary(config_dir, config_name.removesuffix(".yaml"), given) as (name, main, *others):
            places = ",".join(f"'file://{other}'" for other in others)
            own = _environment() if name == "config" and given.get("run") is None else []
            with initialize_config_dir(str(main), version_base="1.3"):
                config = compose(name, overrides=[*own, *fixed, f"hydra.searchpath=[{places}]"])
            values: Any = OmegaConf.to_container(config, resolve=True)
    except (HydraException, OmegaConfBaseException) as error:
        raise ConfigError(_wording(error)) from None
    for override in free:
        _apply(values, override)
    if values.get("experiment") is None:
        raise ConfigError(f"experiment: none was chosen: +experiment=NAME; allowed:\n{experiment_lines()}")
    return parse_settings(values)


def _environment() -> list[str]:
    """Give the options that environment variables set; options of the command line come after them."""
    found = []
    for variable, (option, unit, bound) in _VARIABLES.items():
        if text := os.environ.get(variable):
            try:
                value = float(text)
            except ValueError:
                value = math.nan
            if not 0.0 < value < bound:
                below = f" and below {bound:g}" if bound < math.inf else ""
                raise ConfigError(
                    f"{variable}: '{text}' is not allowed; allowed: a number above 0{below}, for {option}"
                )
            found.append(f"{option}={value / unit!r}")
    return found


def _apply(values: dict[str, Any], override: Override) -> None:
    """Set or delete a value whose name is the user's own."""
    *path, last = override.key_or_group.split(".")
    for name in path:
        if not isinstance(values.get(name), dict):
            values[name] = {}
        values = values[name]
    if override.is_delete():
        values.pop(last, None)
    else:
        values[last] = override.value()


@contextmanager
def _primary(
    config_dir: str | None, name: str, given: Mapping[str, Any]
) -> Iterator[tuple[str, Path, *tuple[Path, ...]]]:
    """Give the name of the configuration to start from, and the directories to search, its own first for Hydra.

    An experiment that goes on with a run starts from that run's configuration.
    """
    own = config_directory()
    places = [own]
    if config_dir is not None:
        users = Path(config_dir).expanduser().absolute()
        if not users.is_dir():
            raise ConfigError(f"--config-dir: there is no directory '{users}'")
        places = [users, own] if (users / f"{name}.yaml").is_file() else [own, users]
    if given.get("run") is None or given.get("experiment") in _LOOKING:
        yield name, places[0], *places[1:]
        return
    with TemporaryDirectory() as scratch:
        is_finished = given.get("experiment") != "resume"
        run = Path(str(given["run"])).expanduser().absolute()
        # Where it ran it goes on, unless another cluster is chosen.
        anew = {group: option for group, option in _ANEW.items() if group != "cluster" or "cluster" in given}
        (Path(scratch) / "config.yaml").write_text(_continued(run, is_finished, anew))
        yield "config", Path(scratch), *places


def _continued(run: Path, is_finished: bool, anew: Mapping[str, str]) -> str:
    """Give the configuration of a run to go on with; what says nothing about the result is chosen anew."""
    needed = "summary.json" if is_finished else "manifest.json"
    if not (run / needed).is_file():
        what = "no finished run" if is_finished else "no run that was begun"
        raise ConfigError(f"run: '{run}' holds {what} (there is no {needed} in it)")
    values = plain_config(read_text(run / "config.yaml"), run)
    for name in anew:
        values.pop(name, None)
    manifest = read_json(run / "manifest.json")
    data = values["data"]
    if is_finished and data["path"] is not None and data["symbol"] is None and data["symbols"] is None:
        # A newer file may have another name, which is not that of what it holds.
        symbols = manifest["data"]["symbols"]
        data |= {"symbol": symbols[0]} if len(symbols) == 1 else {"symbols": symbols}
    values |= {"experiment": None, "run": None, "run_name": None, "run_root": "./runs", "force": False}
    values["plugins"] = [str(run / "plugins" / f"{name}.py") for name in manifest["plugins"]]
    return _with_defaults(_ANEW, values)


def plain_config(text: str, run: Path) -> dict[str, Any]:
    """Give the resolved configuration of a run from its YAML.

    Raises
    ------
    ReproductionError
        Where it is damaged.
    """
    try:
        values: Any = OmegaConf.to_container(OmegaConf.create(text))
        parse_settings(values)
    except Exception as error:
        raise ReproductionError(f"'{run / 'config.yaml'}' cannot be read: {first_line(error)}") from None
    return dict(values)


def _with_defaults(groups: Mapping[str, str], values: Mapping[str, Any]) -> str:
    defaults = "\n".join(f"  - {group}: {option}" for group, option in groups.items())
    return f"defaults:\n{defaults}\n  - _self_\n\n{OmegaConf.to_yaml(OmegaConf.create(dict(values)))}"


def _wording(error: Exception) -> str:
    """Say what Hydra refused in the words of all other refusals."""
    text = str(error).strip()
    if match := re.search(r"Could not (?:override|append to config|delete from config)[^']*'([^'=]+)", text):
        return _unknown_option(match[1].split("."))
    if "viable alternative" in text.lower() or "LexerNoViable" in text:
        return f"an option cannot be read ({' '.join(text.split())}); allowed: option=value, quoted where it has spaces"
    if match := re.search(r"In '([^']+)': ConfigTypeError .*Cannot merge", text, flags=re.DOTALL):
        return (
            f"{match[1]}: a list or a number stands where the defaults have options below a name, such as low, high "
            "and step; allowed: a space of its own, after 'defaults: [override /strategy: custom]' in that file"
        )
    if match := re.search(r"Cannot find primary config '([^']+)'", text):
        return f"--config-name: there is no configuration '{match[1]}' in the directories that are searched"
    if match := re.search(r"(?:In '[^']*': )?Could not find '([^']+)/([^'/]+)'", text):
        options = re.findall(r"^\t(?!provider=)(.+)$", text, flags=re.MULTILINE)
        refusal = f"{match[1]}: {unknown_name(match[1], match[2], options)}"
        return f"{refusal}\n{experiment_lines()}" if match[1] == "experiment" else refusal
    return " ".join(text.split())


def _unknown_option(path: Sequence[str]) -> str:
    """Say what is wrong with an option that what was chosen does not have."""
    # The first name that is no option is the one to mend.
    for depth, name in enumerate(path):
        if name not in (known := allowed_options(path[:depth])):
            return f"{'.'.join(path[: depth + 1])}: {unknown_name('option', name, known)}"
    where = f"{path[0]}=<one that has it>"
    return f"{'.'.join(path)}: what is chosen for {path[0]} has no such option; allowed: {where}, or leave it out"


def settings_yaml(settings: Settings) -> str:
    """Give the resolved configuration as YAML."""
    return str(OmegaConf.to_yaml(OmegaConf.create(settings.plain())))


def variant_yaml(settings: Settings, variant: Variant, run: Path) -> str:
    """Give a configuration that runs a variant by itself.

    ``windows`` and others that can be chosen anew stay groups, so that ``windows=split
    dataset=test`` tests it on another span.

    Parameters
    ----------
    settings : Settings
        Of the run that found it.
    variant : Variant
    run : Path
        The run directory: the file is in its ``best``, the plugins are those of its ``plugins``.
    """
    values: dict[str, Any] = settings.plain()
    for name in (*_RECHOSEN, "run", "runs", "run_name", "search"):
        del values[name]
    values["experiment"] = "backtest"
    values["dataset"] = None
    if variant.member is not None:
        values["strategy"] |= member_settings(settings, variant.member)
        values["ensemble"] = {"kind": None, "members": {}, "weights": {}}
    values["strategy"] |= {"params": variant.parameters, "space": {}}
    if variant.members:
        members = {name: {"strategy": values["strategy"]["name"]} for name in variant.members}
        values["ensemble"] = {"kind": "weighted", "members": members, "weights": {}}
    for path, value in variant.options.items():
        *sections, option = path.split(".")
        reduce(dict.__getitem__, sections, values)[option] = value
    if variant.fit is not None:
        values["classifier"]["fit"] = dict(zip(("start", "stop"), map(_moment, variant.fit), strict=True))
    values["span"] = {"start": _moment(variant.start), "stop": _moment(variant.stop)}
    values["run_name"] = None
    values["plugins"] = [str(run / "plugins" / f"{plugin.name}.py") for plugin in active_plugins()]
    return (
        f"# python -m admf_ray.launch --config-dir {run / 'best'} --config-name {variant.name}\n"
        "# Another span: add windows=split dataset=train|validation|test.\n"
        f"{_with_defaults(_RECHOSEN, values)}"
    )


def _moment(nanoseconds: int | None) -> str | None:
    if nanoseconds is None:
        return None
    return str(np.datetime_as_string(np.datetime64(nanoseconds, "ns"), unit="auto"))


def differing_options(configs: Sequence[Mapping[str, Any]]) -> dict[str, list[str]]:
    """Give the options that are not the same in all of these configurations, with the value in each.

    Where something ran, and how it was shown, is left out.
    """
    flat = [dict(_options(config)) for config in configs]
    names = dict.fromkeys(name for options in flat for name in options)
    shown = {name: [str(options.get(name, "-")) for options in flat] for name in names}
    return {name: values for name, values in shown.items() if len(set(values)) > 1}


def _options(values: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(values, Mapping) and values:
        for name, value in values.items():
            option = f"{path}.{name}" if path else str(name)
            if option not in _OF_PLACE:
                yield from _options(value, option)
    else:
        yield path, values
