"""stub"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from admf_ray.core.parameters import Parameter, complete
from admf_ray.core.registry import Registry


@dataclass(frozen=True, slots=True, kw_only=True)
class Classifier:
    """stub"""

    name: str
    parameters: tuple[Parameter, ...]
    inputs: tuple[str, ...]
    kernel: Any
    labels: Callable[[tuple[float, ...]], tuple[str, ...]]
    constraints: tuple[str, ...] = ()
    state_size: Callable[[tuple[float, ...]], int] = lambda params: 0
    outputs: Callable[[tuple[float, ...]], int] = lambda params: 1
    fit: str | None = None
    fitted_size: Callable[[tuple[float, ...]], int] = lambda params: 0
    warm_up: Callable[[tuple[float, ...]], int]
    convergence: Callable[[tuple[float, ...]], int]
    source: str

    @property
    def is_stateless(self) -> bool:
        return True

    @property
    def parameter_names(self) -> tuple[str, ...]:
        return tuple(parameter.name for parameter in self.parameters)

    def complete(self, given: Mapping[str, float], where: str = "classifier.params") -> dict[str, float]:
        return complete(self.parameters, given, where)


CLASSIFIERS: Registry[Classifier] = Registry("classifier")
from admf_ray.core.kernels import CLASSIFIER, compiled


@compiled(CLASSIFIER)
def trend(matrix, rows, session, params, state, start, stop, out):
    for t in range(start, stop):
        a, b = matrix[rows[0], t], matrix[rows[1], t]
        out[0, t] = 1.0 if a > b else 0.0 if a <= b else -1.0


CLASSIFIERS.add(
    Classifier(
        name="trend",
        parameters=(Parameter("period", 200, 2, 100_000),),
        inputs=("close", "sma(close,{period})"),
        kernel=trend,
        labels=lambda p: ("down", "up"),
        warm_up=lambda p: int(p[0]) - 1,
        convergence=lambda p: int(p[0]) - 1,
        source="x",
    )
)
