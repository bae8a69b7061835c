"""From plain values to settings, with refusals that name the option and what is allowed."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from admf_ray.app.settings import Settings
from admf_ray.core.registry import unknown_name
from admf_ray.errors import ConfigError

__all__ = ["allowed_options", "parse_settings"]


def allowed_options(path: Sequence[str]) -> list[str]:
    """Give the names of the options below a path of option names, none where it is no section."""
    return sorted({name for model in _models(path) for name in model.model_fields})


def _models(path: Sequence[str]) -> list[type[BaseModel]]:
    models: list[type[BaseModel]] = [Settings]
    for name in path:
        models = [model for parent in models for model in _sections(parent, name)]
    return models


def _sections(parent: type[BaseModel], name: str) -> list[type[BaseModel]]:
    annotation = parent.model_fields[name].annotation if name in parent.model_fields else None
    choices = getattr(annotation, "__args__", (annotation,))
    return [choice for choice in choices if isinstance(choice, type) and issubclass(choice, BaseModel)]


def _misplaced_bools(values: object, path: tuple[str, ...] = ()) -> Iterator[str]:
    """Give the paths at which true or false stands for something else: pydantic would take them as 1 and 0."""
    match values:
        case bool():
            fields = [model.model_fields.get(path[-1]) for model in _models(path[:-1])]
            if not any(
                field is not None and bool in (field.annotation, *get_args(field.annotation)) for field in fields
            ):
                yield ".".join(path)
        case Mapping():
            for name, value in values.items():
                yield from _misplaced_bools(value, (*path, str(name)))
        case list() | tuple():
            for value in values:
                yield from _misplaced_bools(value, path)


def parse_settings(values: Mapping[str, Any]) -> Settings:
    """Check plain values and freeze them.

    Raises
    ------
    ConfigError
        One line for each option that is wrong: its path, what it is, what is allowed.
    """
    for path in _misplaced_bools(values):
        raise ConfigError(f"{path}: true and false are not allowed; allowed: a number or text")
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        # A union reports every member that does not match: the first says enough.
        lines: dict[str, str] = {}
        for detail in error.errors():
            path, wording = _wording(detail)
            lines.setdefault(path, f"{path}: {wording}")
        raise ConfigError("\n".join(lines.values())) from None


def _wording(detail: ErrorDetails) -> tuple[str, str]:
    """Give the path of a refused option, and what is wrong with it."""
    location = [str(part) for part in detail["loc"]]
    if location[0] == "windows" and len(location) > 2:
        del location[1]
    if location[:2] == ["strategy", "space"]:
        allowed = "a number, a list of numbers, or low, high and step"
        return ".".join(location[:3]), f"{detail['input']!r} is not allowed; allowed: {allowed}"
    path = ".".join(location)
    if detail["type"] == "extra_forbidden":
        return path, unknown_name("option", location[-1], allowed_options(location[:-1]))
    if detail["type"] == "missing":
        return path, "is missing"
    if detail["type"].startswith("union_tag"):
        kinds = ["rolling", "anchored", "expanding", "split"]
        return "windows.kind", unknown_name("kind of windows", str(detail["ctx"].get("tag")), kinds)
    if detail["type"] == "tuple_type":
        return path, f"{detail['input']!r} is not allowed; allowed: a list in brackets: [a,b]"
    allowed = detail["msg"].removeprefix("Input should be ").removeprefix("Input should ")
    return path, f"{detail['input']!r} is not allowed; allowed: {allowed}"
