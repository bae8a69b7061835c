"""From plain values to settings, with refusals that name the option and what is allowed."""

from collections.abc import Iterator, Mapping, Sequence
from types import UnionType
from typing import Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from admf_ray.app.settings import SET_BY_RESUME, Settings
from admf_ray.core.registry import unknown_name
from admf_ray.errors import ConfigError

__all__ = ["allowed_options", "parse_settings"]


def allowed_options(path: Sequence[str], kind: str | None = None) -> list[str]:
    """Give the names of the options below a path of option names, none where it is no section.

    Parameters
    ----------
    path : sequence of str
    kind : str, optional
        Of the section, where there are several, as of windows; by default options of all of them are given.
    """
    models = [one for one in _models(path) if kind is None or kind in get_args(one.model_fields["kind"].annotation)]
    names = {field.alias or name for model in models for name, field in model.model_fields.items()}
    return sorted(names.difference(() if path else SET_BY_RESUME))


def _models(path: Sequence[str]) -> list[type[BaseModel]]:
    kinds: list[Any] = [Settings]
    for name in path:
        kinds = [below for kind in kinds for below in _below(kind, name)]
    return [kind for kind in kinds if _is_model(kind)]


def _below(kind: Any, name: str) -> Sequence[Any]:
    """Give what may stand below a name: of a section its field, of a mapping its values."""
    if get_origin(kind) is Mapping:
        (value,) = get_args(kind)[1:]
        return get_args(value) if get_origin(value) in {Union, UnionType} else (value,)
    annotation = kind.model_fields[name].annotation if _is_model(kind) and name in kind.model_fields else None
    return (annotation,) if get_origin(annotation) is Mapping else get_args(annotation) or (annotation,)


def _is_model(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def _misplaced_bools(values: object, path: tuple[str, ...] = ()) -> Iterator[str]:
    """Give the paths at which true or false stands for something else: pydantic would take them as 1 and 0."""
    match values:
        case bool():
            # In that space options are named by their paths, as one name or one below the other.
            section = path[:3] if path[:2] == ("search", "space") else path[:-1]
            fields = [model.model_fields.get(path[-1]) for model in _models(section)]
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
            if detail["type"] == "float_type" and isinstance(detail["input"], Mapping):
                # Numbers by name stand where one number may: what is wrong with them is told by name.
                continue
            path, wording = _wording(detail)
            lines.setdefault(path, f"{path}: {wording}")
        raise ConfigError("\n".join(lines.values())) from None


def _wording(detail: ErrorDetails) -> tuple[str, str]:
    """Give the path of a refused option, and what is wrong with it."""
    location = [str(part) for part in detail["loc"]]
    kind = location.pop(1) if location[0] == "windows" and len(location) > 2 else None
    if "space" in location[:4] and (length := location.index("space") + 2) <= len(location):
        allowed = "a number, a list of numbers, or low, high and step"
        return ".".join(location[:length]), f"{detail['input']!r} is not allowed; allowed: {allowed}"
    if location[:3] == ["risk", "limits", "symbol"] and len(location) > 4:
        del location[4]
    path = ".".join(location)
    if detail["type"] == "extra_forbidden":
        return path, unknown_name("option", location[-1], allowed_options(location[:-1], kind))
    if detail["type"] == "missing":
        return path, "is missing"
    if detail["type"].startswith("union_tag"):
        kinds = [kind for model in _models(["windows"]) for kind in get_args(model.model_fields["kind"].annotation)]
        return "windows.kind", unknown_name("kind of windows", str(detail["ctx"].get("tag")), kinds)
    return path, f"{detail['input']!r} is not allowed; allowed{_allowed(detail, location)}"


def _allowed(detail: ErrorDetails, location: Sequence[str]) -> str:
    if detail["type"] == "model_type":
        return f" below it: {', '.join(allowed_options(location))}"
    if detail["type"] == "tuple_type":
        return ": a list in brackets: [a,b]"
    return f": {detail['msg'].removeprefix('Input should be ').removeprefix('Input should ')}"
