"""Composing the configuration with Hydra, and writing configurations that compose again."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from hydra import compose, initialize_config_dir
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from admf_ray.app.settings import Settings, allowed_options, parse_settings
from admf_ray.core.registry import unknown_name
from admf_ray.errors import ConfigError
from admf_ray.plugins import active_plugins
from admf_ray.workflow import Variant

__all__ = ["compose_settings", "config_directory", "experiments", "settings_yaml", "variant_yaml"]

_FREE = ("strategy.params", "strategy.space")
_RECHOSEN = {"windows": "rolling", "cluster": "local", "logging": "console", "report": "html"}


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
    config_name = config_name.removesuffix(".yaml")
    main, *others = _search_path(config_dir, config_name)
    extra = [f"hydra.searchpath=['file://{other}']" for other in others]
    try:
        parsed = OverridesParser.create().parse_overrides(list(overrides))
        if sweeps := [str(override.input_line) for override in parsed if override.is_sweep_override()]:
            raise ConfigError(f"{sweeps[0]}: several values; allowed: one value, or a list in brackets: [1,2]")
        free = [override for override in parsed if ".".join(override.key_or_group.split(".")[:2]) in _FREE]
        fixed = [str(override.input_line) for override in parsed if override not in free]
        if any(override.key_or_group == "experiment" and not override.is_add() for override in parsed):
            raise ConfigError(
                f"experiment: choose it with a plus: {', '.join(f'+experiment={n}' for n in experiments())}"
            )
        with initialize_config_dir(str(main), version_base="1.3"):
            config = compose(config_name, overrides=[*fixed, *extra])
            values: Any = OmegaConf.to_container(config, resolve=True)
    except (HydraException, OmegaConfBaseException) as error:
        raise ConfigError(_wording(error)) from None
    for override in free:
        _apply(values, override)
    if values.get("experiment") is None:
        raise ConfigError(
            f"experiment: none was chosen; allowed: {', '.join('+experiment=' + n for n in experiments())}"
        )
    return parse_settings(values)


def _apply(values: dict[str, Any], override: Override) -> None:
    """Set or delete a value below ``strategy``, whose names depend on the strategy and are checked with it."""
    *path, last = override.key_or_group.split(".")
    for name in path:
        if not isinstance(values.get(name), dict):
            values[name] = {}
        values = values[name]
    if override.is_delete():
        values.pop(last, None)
    else:
        values[last] = override.value()


def _search_path(config_dir: str | None, config_name: str) -> list[Path]:
    """Give the directories to search; the one that has the primary configuration first, as Hydra wants it."""
    own = config_directory()
    if config_dir is None:
        return [own]
    users = Path(config_dir).expanduser().absolute()
    if not users.is_dir():
        raise ConfigError(f"--config-dir: there is no directory '{users}'")
    return [users, own] if (users / f"{config_name}.yaml").is_file() else [own, users]


def _wording(error: Exception) -> str:
    """Say what Hydra refused in the words of all other refusals."""
    text = str(error).strip()
    if match := re.search(r"Could not (?:override|append to config|delete from config)[^']*'([^'=]+)", text):
        path = match[1].split(".")
        # The first name that is no option is the one to mend.
        depth = next((n for n, name in enumerate(path) if name not in allowed_options(path[:n])), len(path) - 1)
        wrong = unknown_name("option", path[depth], allowed_options(path[:depth]))
        return f"{'.'.join(path[: depth + 1])}: {wrong}"
    if "viable alternative" in text.lower() or "LexerNoViable" in text:
        return f"an option cannot be read ({' '.join(text.split())}); allowed: option=value, quoted where it has spaces"
    if match := re.search(r"Cannot find primary config '([^']+)'", text):
        return f"--config-name: there is no configuration '{match[1]}' in the directories that are searched"
    if match := re.search(r"(?:In '[^']*': )?Could not find '([^']+)/([^'/]+)'", text):
        options = re.findall(r"^\t(?!provider=)(.+)$", text, flags=re.MULTILINE)
        return f"{match[1]}: {unknown_name(match[1], match[2], options)}"
    return " ".join(text.split())


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
    values["strategy"] = {"name": settings.strategy.name, "params": variant.parameters, "space": {}}
    values["span"] = {"start": _moment(variant.start), "stop": _moment(variant.stop)}
    values["run_name"] = None
    values["plugins"] = [str(run / "plugins" / f"{plugin.name}.py") for plugin in active_plugins()]
    defaults = "\n".join(f"  - {group}: {option}" for group, option in _RECHOSEN.items())
    return (
        f"# python -m admf_ray.launch --config-dir {run / 'best'} --config-name {variant.name}\n"
        "# Another span: add windows=split dataset=train|validation|test.\n"
        f"defaults:\n{defaults}\n  - _self_\n\n{OmegaConf.to_yaml(OmegaConf.create(values))}"
    )


def _moment(nanoseconds: int | None) -> str | None:
    if nanoseconds is None:
        return None
    return str(np.datetime_as_string(np.datetime64(nanoseconds, "ns"), unit="auto"))
