"""Expressions that are safe to evaluate: comparisons and sums of named numbers, and nothing else."""

import ast
import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from typing import Any

import numpy as np
import numpy.typing as npt

from admf_ray.core.registry import unknown_name
from admf_ray.errors import ConfigError

__all__ = ["Expression", "Formula"]

_Compute = Callable[[Mapping[str, Any]], Any]

_COMPARISONS: dict[type[ast.AST], Callable[[Any, Any], Any]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}
_ARITHMETIC: dict[type[ast.AST], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}
_CONNECTIVES: dict[type[ast.AST], Callable[[Any, Any], Any]] = {ast.And: operator.and_, ast.Or: operator.or_}


@dataclass(frozen=True, slots=True)
class Expression:
    """A condition on named numbers, parsed once and evaluated for as many values as there are.

    It consists of names, dotted ones too, numbers, ``< <= > >= == !=``, ``+ - * /``, ``and or not`` and parentheses. A
    number on its own counts as true where it is not 0. A comparison with NaN is false, but for ``!=``; what is divided
    by 0 is infinite or NaN.

    Attributes
    ----------
    text : str
    names : tuple of str
        That it uses, in order of appearance.

    Examples
    --------
    >>> rule = Expression.parse("metrics.total_pnl > 0 and events.FILL >= 10", "rule")
    >>> rule.names
    ('metrics.total_pnl', 'events.FILL')
    >>> rule.holds({"metrics.total_pnl": 12.5, "events.FILL": 10})
    True
    """

    text: str
    names: tuple[str, ...]
    _what: str = field(repr=False)
    _compute: _Compute = field(repr=False, compare=False)

    @classmethod
    def parse(cls, text: str, what: str, allowed: Sequence[str] | None = None, kind: str = "name") -> "Expression":
        """Read an expression.

        Parameters
        ----------
        text : str
        what : str
            That it is, for messages: ``constraint``.
        allowed : sequence of str, optional
            Names that it may use; any where there is no such list.
        kind : str
            What a name stands for, for messages: ``parameter``.

        Raises
        ------
        ConfigError
            Where the text is anything else than such an expression, names something unknown, or is a number.

        Examples
        --------
        >>> Expression.parse("fast < slw", "constraint", ["fast", "slow"], "parameter")
        Traceback (most recent call last):
        ...
        admf_ray.errors.ConfigError: constraint 'fast < slw': no parameter is named 'slw' (did you mean slow?); \
allowed: fast, slow
        """
        found, names = _parsed(text, what, allowed, kind)
        if not found.is_condition:
            raise ConfigError(f"{what} '{text}' is a number; allowed: a comparison")
        return cls(text, names, what, found.compute)

    def holds(self, values: Mapping[str, float]) -> bool:
        """Say whether numbers obey it.

        Parameters
        ----------
        values : mapping of str to float
            A number for each of `names`.

        Raises
        ------
        ConfigError
            Where a number is too large to compute with.
        """
        return bool(self._evaluate({name: float(values[name]) for name in self.names}))

    def holds_for(self, columns: Mapping[str, npt.NDArray[np.float64]]) -> npt.NDArray[np.bool_]:
        """Say which rows obey it; the same as `holds` for each of them.

        Parameters
        ----------
        columns : mapping of str to float64 array, shape [row]
            A column for each of `names`.

        Returns
        -------
        bool array, shape [row], or [] where it uses no name

        Raises
        ------
        ConfigError
            Where a number is too large to compute with.

        Examples
        --------
        >>> import numpy as np
        >>> Expression.parse("fast < 8", "constraint").holds_for({"fast": np.array([5.0, 9.0])}).tolist()
        [True, False]
        """
        with np.errstate(all="ignore"):
            return np.asarray(self._evaluate(columns))

    def __reduce__(self) -> tuple[Any, ...]:
        """Travel as text."""
        return Expression.parse, (self.text, self._what)

    def _evaluate(self, values: Mapping[str, Any]) -> Any:
        try:
            return self._compute(values)
        except ArithmeticError as error:
            raise _incomputable(self._what, self.text, error) from None


@dataclass(frozen=True, slots=True)
class Formula:
    """A number out of named numbers, as of `Expression`: ``0.6 * sharpe + 0.4 * cagr / 0.1``.

    Attributes
    ----------
    text : str
    names : tuple of str
        That it uses, in order of appearance.

    Examples
    --------
    >>> import numpy as np
    >>> score = Formula.parse("0.5 * sharpe - max_drawdown", "objective")
    >>> score.names, score.value_for({"sharpe": np.array([1.0, 2.0]), "max_drawdown": np.array([0.25, 0.5])}).tolist()
    (('sharpe', 'max_drawdown'), [0.25, 0.5])
    """

    text: str
    names: tuple[str, ...]
    _compute: _Compute = field(repr=False, compare=False)

    @classmethod
    def parse(cls, text: str, what: str, allowed: Sequence[str] | None = None, kind: str = "name") -> "Formula":
        """Read a formula; parameters and errors as of `Expression.parse`, and a comparison is refused."""
        found, names = _parsed(text, what, allowed, kind)
        if found.is_condition or found.is_constant:
            raise ConfigError(f"{what} '{text}' is no formula; allowed: a sum of named numbers with weights")
        return cls(text, names, found.compute)

    def value_for(self, columns: Mapping[str, npt.NDArray[np.float64]]) -> npt.NDArray[np.float64]:
        """Give the number of each row; what cannot be computed is infinite or NaN.

        Parameters
        ----------
        columns : mapping of str to float64 array
            A column for each of `names`, all of one shape.
        """
        with np.errstate(all="ignore"):
            return np.asarray(self._compute(columns), dtype=np.float64)

    def __reduce__(self) -> tuple[Any, ...]:
        """Travel as text."""
        return Formula.parse, (self.text, "formula")


def _parsed(text: str, what: str, allowed: Sequence[str] | None, kind: str) -> tuple["_Term", tuple[str, ...]]:
    parser = _Parser(text, what, allowed, kind)
    try:
        found = parser.term(ast.parse(text, mode="eval").body)
    except SyntaxError as error:
        raise ConfigError(f"{what} '{text}' is no expression: {error.msg}") from None
    except ArithmeticError as error:
        raise _incomputable(what, text, error) from None
    except (RecursionError, MemoryError):
        raise ConfigError(f"{what} of {len(text)} characters is nested too deeply") from None
    return found, tuple(parser.names)


@dataclass(frozen=True, slots=True)
class _Term:
    """A part of an expression: how to compute it, whether it is true or false, whether it depends on no name."""

    compute: _Compute
    is_condition: bool = False
    is_constant: bool = False


class _Parser:
    """Turns nodes of a syntax tree into terms, or refuses them."""

    def __init__(self, text: str, what: str, allowed: Sequence[str] | None, kind: str) -> None:
        self.names: dict[str, None] = {}
        self._where = f"{what} '{text}'"
        self._allowed = allowed
        self._kind = kind

    def term(self, node: ast.AST) -> _Term:  # noqa: PLR0911  (one return for each kind of node)
        match node:
            case ast.Name(id=name):
                return self._named(name)
            case ast.Attribute():
                return self._named(self._dotted(node))
            case ast.Constant(value=int() | float() as number) if not isinstance(number, bool):
                return _Term(lambda values: number, is_constant=True)
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return _applied(operator.neg, self._number(operand))
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                return _applied(_is_false, self.term(operand), is_condition=True)
            case ast.BinOp(left=left, op=op, right=right) if type(op) in _ARITHMETIC:
                one, other = self._number(left), self._number(right)
                is_division = isinstance(op, ast.Div) and not (one.is_constant and other.is_constant)
                return _applied(_divided if is_division else _ARITHMETIC[type(op)], one, other)
            case ast.BoolOp(op=op, values=operands):
                return _joined(_CONNECTIVES[type(op)], map(self._condition, operands))
            case ast.Compare(left=left, ops=ops, comparators=comparators) if all(
                type(op) in _COMPARISONS for op in ops
            ):
                terms = [self.term(left), *map(self.term, comparators)]
                return _compared([_COMPARISONS[type(op)] for op in ops], terms)
        raise self._refusal()

    def _named(self, name: str) -> _Term:
        if self._allowed is None:
            if any(part.startswith("__") for part in name.split(".")):
                raise self._refusal()
        elif name not in self._allowed:
            raise ConfigError(f"{self._where}: {unknown_name(self._kind, name, list(self._allowed))}")
        self.names[name] = None
        return _Term(operator.itemgetter(name))

    def _dotted(self, node: ast.Attribute) -> str:
        """Give the name that a chain of attributes spells, where there are dotted names at all."""
        if self._allowed is not None and not any("." in name for name in self._allowed):
            raise self._refusal()
        parts = [node.attr]
        owner = node.value
        while isinstance(owner, ast.Attribute):
            parts.append(owner.attr)
            owner = owner.value
        if not isinstance(owner, ast.Name):
            raise self._refusal()
        return ".".join([owner.id, *reversed(parts)])

    def _number(self, node: ast.AST) -> _Term:
        found = self.term(node)
        # Arrays and numbers disagree about the sum of two conditions.
        if found.is_condition:
            raise self._refusal()
        return found

    def _condition(self, node: ast.AST) -> _Term:
        found = self.term(node)
        return found if found.is_condition else _applied(_is_true, found, is_condition=True)

    def _refusal(self) -> ConfigError:
        names = f"{self._kind}s" if self._allowed is None else f"{self._kind}s ({', '.join(self._allowed)})"
        return ConfigError(
            f"{self._where} is not allowed; allowed: {names}, numbers, < <= > >= == !=, + - * /, and, or, not"
        )


def _applied(function: Callable[..., Any], *operands: _Term, is_condition: bool = False) -> _Term:
    """Give the term that applies a function to one or two others; at once, where they depend on no name."""
    if all(operand.is_constant for operand in operands):
        known = function(*(operand.compute({}) for operand in operands))
        return _Term(lambda values: known, is_condition, is_constant=True)
    one, *others = (operand.compute for operand in operands)
    if not others:
        return _Term(lambda values: function(one(values)), is_condition)
    (other,) = others
    return _Term(lambda values: function(one(values), other(values)), is_condition)


def _joined(connective: Callable[[Any, Any], Any], conditions: Iterable[_Term]) -> _Term:
    return reduce(lambda one, other: _applied(connective, one, other, is_condition=True), conditions)


def _compared(signs: Sequence[Callable[[Any, Any], Any]], terms: Sequence[_Term]) -> _Term:
    """Give the term of a chain of comparisons."""
    pairs = zip(signs, terms[:-1], terms[1:], strict=True)
    return _joined(operator.and_, (_applied(sign, one, other, is_condition=True) for sign, one, other in pairs))


def _is_true(value: Any) -> Any:
    return value != 0


def _is_false(value: Any) -> Any:
    return value == 0


def _divided(one: Any, other: Any) -> Any:
    """Divide as arrays do, numbers too."""
    try:
        return one / other
    except ZeroDivisionError:
        with np.errstate(all="ignore"):
            return float(np.float64(one) / other)


def _incomputable(what: str, text: str, error: ArithmeticError) -> ConfigError:
    return ConfigError(f"{what} '{text}' cannot be computed: {error}")
