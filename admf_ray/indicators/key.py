"""Indicator keys: what is computed, as a small frozen value with a text form."""

import re
from dataclasses import dataclass, field, replace
from typing import Any

from admf_ray.core.bars import FIELDS
from admf_ray.errors import ConfigError

__all__ = ["Key"]

_TIMEFRAME = re.compile(r"\s*([1-9]\d*(?:s|min|h|d|w|mo))\b")
_FIT = re.compile(r"\s*(-?\d+:-?\d+)")
_TOKEN = re.compile(r"\s*([A-Za-z_]\w*|[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?|\[[^\]]*\]|[(),.@~])")


@dataclass(frozen=True, slots=True)
class Key:
    """Identity of one series in the hub: a raw field of a symbol, or an indicator on other keys.

    Attributes
    ----------
    name : str
        Raw field (``open`` ... ``volume``) or name of an indicator.
    sources : tuple of Key
        What the indicator reads; empty for a raw field.
    parameters : tuple of float
    symbol : str or None
        Of a raw field; None stands for whichever symbol the key is bound to.
    output : str or None
        Of an indicator with several outputs; None is the first one.
    timeframe : str or None
        Length of the bars on which all of it is computed, such as ``1d``; None for the bars themselves. A value holds
        from the close of its bucket on.
    fit : tuple of int or None
        Span that a fitted indicator was fitted on, ns UTC, half-open.

    Examples
    --------
    >>> key = Key.parse("sma(close, 20)")
    >>> str(key.bind("SPX"))
    'sma(close[SPX],20)'
    >>> Key.parse(str(key)) == key
    True
    >>> str(Key.parse("macd(close[SPX], 12, 26, 9).signal @ 1w"))
    'macd(close[SPX],12,26,9).signal@1w'
    """

    name: str
    sources: tuple["Key", ...] = ()
    parameters: tuple[float, ...] = ()
    symbol: str | None = None
    output: str | None = None
    timeframe: str | None = None
    fit: tuple[int, int] | None = None
    _hash: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Hash once: keys nest, and a plan looks each of them up many times."""
        parts = (self.name, self.sources, self.parameters, self.symbol, self.output, self.timeframe, self.fit)
        object.__setattr__(self, "_hash", hash(parts))

    def __hash__(self) -> int:
        """Give the hash."""
        return self._hash

    def __reduce__(self) -> tuple[Any, ...]:
        """Rebuild it where it arrives: hashes of texts differ between processes."""
        return Key, (self.name, self.sources, self.parameters, self.symbol, self.output, self.timeframe, self.fit)

    def __str__(self) -> str:
        """Give the text form, which `parse` reads back to the same key."""
        symbol = f"[{self.symbol}]" if self.symbol else ""
        arguments = ",".join([*map(str, self.sources), *(f"{number:.17g}" for number in self.parameters)])
        output = f".{self.output}" if self.output else ""
        timeframe = f"@{self.timeframe}" if self.timeframe else ""
        fit = f"~{self.fit[0]}:{self.fit[1]}" if self.fit else ""
        return f"{self.name}{symbol}{f'({arguments})' if arguments else ''}{output}{timeframe}{fit}"

    @property
    def is_raw(self) -> bool:
        """Whether the key is a field of the bars."""
        return self.name in FIELDS

    def bind(self, symbol: str) -> "Key":
        """Give the key with every raw field that names no symbol bound to this one."""
        if self.is_raw:
            return self if self.symbol else replace(self, symbol=symbol)
        return replace(self, sources=tuple(source.bind(symbol) for source in self.sources))

    @classmethod
    def parse(cls, text: str) -> "Key":
        """Read the text form.

        Raises
        ------
        ConfigError
            Where the text is no key; names the text and the place.
        """
        key, rest = cls._parse(text, text)
        if rest.strip():
            raise _refusal(text, rest)
        return key

    @classmethod
    def _parse(cls, text: str, rest: str) -> tuple["Key", str]:
        name, rest = _next(rest)
        if not re.fullmatch(r"[A-Za-z_]\w*", name):
            raise _refusal(text, name + rest)
        sources: list[Key] = []
        parameters: list[float] = []
        symbol = output = None
        token, after = _next(rest)
        if token.startswith("["):
            symbol, rest = token[1:-1].strip(), after
            token, after = _next(rest)
        if token == "(":
            while token != ")":
                token, following = _next(after)
                if re.match(r"[-+.\d]", token):
                    parameters.append(float(token))
                    after = following
                else:
                    if parameters:
                        raise _refusal(text, after)
                    source, after = cls._parse(text, after)
                    sources.append(source)
                token, after = _next(after)
                if token not in {",", ")"}:
                    raise _refusal(text, token + after)
            rest = after
            token, after = _next(rest)
        if token == ".":
            output, rest = _next(after)
        timeframe, rest = _suffix(text, rest, "@", _TIMEFRAME)
        span, rest = _suffix(text, rest, "~", _FIT)
        first, _, last = (span or "").partition(":")
        fit = (int(first), int(last)) if span else None
        key = cls(name, tuple(sources), tuple(parameters), symbol, output, timeframe, fit)
        if key.is_raw == bool(sources or parameters or output or fit) or (symbol is not None and not key.is_raw):
            raise ConfigError(
                f"indicator key '{text}': '{key}' is neither a raw field ({', '.join(FIELDS)}, with [symbol]) "
                "nor an indicator with arguments"
            )
        return key, rest


def _next(text: str) -> tuple[str, str]:
    """Give the next token and what follows it; two empty strings at the end."""
    match = _TOKEN.match(text)
    return (match[1], text[match.end() :]) if match else ("", text)


def _suffix(text: str, rest: str, mark: str, pattern: re.Pattern[str]) -> tuple[str | None, str]:
    """Give what follows a mark, if the mark comes next, and the rest."""
    token, after = _next(rest)
    if token != mark:
        return None, rest
    if (found := pattern.match(after)) is None:
        raise _refusal(text, after)
    return found[1], after[found.end() :]


def _refusal(text: str, rest: str) -> ConfigError:
    return ConfigError(
        f"indicator key '{text}' cannot be read at '{rest.strip() or 'its end'}'; "
        "allowed: name(source, ..., number, ...).output@timeframe, for example sma(close,20)"
    )
