"""Composing the configuration with Hydra, and writing configurations that compose again."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.errors import HydraException
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from admf_ray.app.settings import Settings, allowed_options, parse_settings
from admf_ray.core.registry import unknown_name
from admf_ray.errors import ConfigError
from admf_ray.workflow import Variant

__all__ = ["compose_settings", "config_directory", "experiments", "settings_yaml", "variant_yaml"]

_RECHOSEN = ("windows", "cluster")


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
    extra = [f"hydra.searchpath=[file://{_existing(config_dir)}]"] if config_dir else []
    GlobalHydra.instance().clear()
    try:
        with initialize_config_dir(str(config_directory()), version_base="1.3"):
            config = compose(config_name, overrides=[*overrides, *extra])
            values = OmegaConf.to_container(config, resolve=True)
    except (HydraException, OmegaConfBaseException) as error:
        raise ConfigError(_wording(error)) from None
    assert isinstance(values, dict)
    if values.get("experiment") is None:
        raise ConfigError(
            f"experiment: none was chosen; allowed: {', '.join('+experiment=' + n for n in experiments())}"
        )
    return parse_settings({str(name): value for name, value in values.items()})


def _existing(directory: str) -> Path:
    path = Path(directory).expanduser().absolute()
    if not path.is_dir():
        raise ConfigError(f"--config-dir: there is no directory '{path}'")
    return path


def _wording(error: Exception) -> str:
    """Say what Hydra refused in the words of all other refusals."""
    text = str(error).strip()
    if match := re.search(r"Could not (?:override|append to config|delete from config)[^']*'([^'=]+)", text):
        *section, name = match[1].split(".")
        allowed = allowed_options(section)
        where = f"{match[1]}: "
        return where + (unknown_name("option", name, allowed) if allowed else f"'{'.'.join(section)}' has no options")
    if match := re.search(r"(?:In '[^']*': )?Could not find '([^']+)/([^'/]+)'", text):
        options = re.findall(r"^\t(.+)$", text, flags=re.MULTILINE)
        return f"{match[1]}: {unknown_name(match[1], match[2], options)}"
    return " ".join(text.split())


def settings_yaml(settings: Settings) -> str:
    """Give the resolved configuration as YAML."""
    return str(OmegaConf.to_yaml(OmegaConf.create(settings.plain())))


def variant_yaml(settings: Settings, variant: Variant, directory: Path) -> str:
    """Give a configuration that runs a variant by itself.

    ``windows`` and ``cluster`` stay groups, so that ``windows=split dataset=test`` tests it on another span.

    Parameters
    ----------
    settings : Settings
        Of the run that found it.
    variant : Variant
    directory : Path
        Of the file, for the command in its first line.
    """
    values: dict[str, Any] = settings.plain()
    for name in (*_RECHOSEN, "run", "run_name", "search"):
        del values[name]
    values["experiment"] = "backtest"
    values["dataset"] = None
    values["strategy"] = {"name": settings.strategy.name, "params": variant.parameters, "space": {}}
    values["span"] = {"start": _moment(variant.start), "stop": _moment(variant.stop)}
    values["run_name"] = None
    defaults = "\n".join(f"  - {group}: {'rolling' if group == 'windows' else 'local'}" for group in _RECHOSEN)
    return (
        f"# python -m admf_ray.launch --config-dir {directory} --config-name {variant.name}\n"
        "# Another span: add windows=split dataset=train|validation|test.\n"
        f"defaults:\n{defaults}\n  - _self_\n\n{OmegaConf.to_yaml(OmegaConf.create(values))}"
    )


def _moment(nanoseconds: int | None) -> str | None:
    if nanoseconds is None:
        return None
    whole = np.datetime64(nanoseconds, "ns")
    text = datetime.fromtimestamp(nanoseconds // 10**9, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    fraction = nanoseconds % 10**9
    assert str(whole).startswith(text)
    return text + (f".{fraction:09d}" if fraction else "")
