"""The registry of classifiers."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from admf_ray.core.kernels import CLASSIFIER, check_kernel
from admf_ray.core.parameters import Parameter, check_inputs, check_names, complete
from admf_ray.core.registry import Registry
from admf_ray.errors import ConfigError

__all__ = ["CLASSIFIERS", "Classifier"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Classifier:
    """One registered classifier: market regimes from indicators.

    Every callable takes the declared parameters, in their order, without fitted numbers.

    Attributes
    ----------
    name : str
    parameters : tuple of Parameter
        In the order in which the kernel gets them.
    inputs : tuple of str
        One indicator key for each slot of the kernel's ``rows``, with parameters in braces: ``sma(close,{period})``.
    kernel : compiled function
        Of the signature `admf_ray.core.kernels.CLASSIFIER`. Its ``params`` are the declared parameters, then the fitted
        numbers. Output 0 holds labels: whole numbers, -1 while the regime is unknown.
    labels : callable of (parameters) -> tuple of str
        Names of the labels 0, 1, 2, ...
    constraints : tuple of str
        Expressions that the parameters must obey; see `admf_ray.core.parameters.satisfied`.
    outputs : callable of (parameters) -> int
        How many rows the kernel writes: the labels, and with more than one the probability of each label.
    state_size : callable of (parameters) -> int
        Floats that the kernel keeps from call to call; they start as 0.
    warm_up : callable of (parameters) -> int
        Bars before the first label.
    convergence : callable of (parameters) -> int
        Bars after which the indicators that the label is made of no longer depend on where the series began.
    fit : str or None
        What fits the classifier, as ``module:function``: takes the inputs over the span that is fitted on, float64
        [slot, bar], and the parameters; gives the fitted numbers, float64 [fitted].
    fitted_size : callable of (parameters) -> int
        How many numbers that is; 0 where nothing is fitted.
    source : str
        Where the rule is from.
    """

    name: str
    parameters: tuple[Parameter, ...]
    inputs: tuple[str, ...]
    kernel: Any
    labels: Callable[[tuple[float, ...]], tuple[str, ...]]
    constraints: tuple[str, ...] = ()
    outputs: Callable[[tuple[float, ...]], int] = lambda params: 1
    state_size: Callable[[tuple[float, ...]], int] = lambda params: 0
    warm_up: Callable[[tuple[float, ...]], int]
    convergence: Callable[[tuple[float, ...]], int]
    fit: str | None = None
    fitted_size: Callable[[tuple[float, ...]], int] = lambda params: 0
    source: str

    def __post_init__(self) -> None:
        """Refuse a kernel of another signature, parameters of one name, inputs of others, outputs and a half fit."""
        check_kernel(self.kernel, CLASSIFIER, self.name)
        check_names(self.parameters, self.name)
        check_inputs(self.inputs, self.parameters, self.name)
        self.complete({}, f"defaults of '{self.name}'")
        labels = self.labels(self.defaults)
        if len(set(labels)) != len(labels) or not labels:
            raise ConfigError(f"'{self.name}': labels are {labels}; allowed: at least one name, each once")
        if self.outputs(self.defaults) not in {1, 1 + len(labels)}:
            raise ConfigError(
                f"'{self.name}': outputs are {self.outputs(self.defaults)}; "
                f"allowed: 1, or {1 + len(labels)} with a probability for each label"
            )
        if self.fit is not None and self.fit.count(":") != 1:
            raise ConfigError(f"'{self.name}': fit is '{self.fit}'; allowed: module:function")
        if (self.fit is not None) != (self.fitted_size(self.defaults) > 0):
            raise ConfigError(
                f"'{self.name}': fit is {self.fit} and fitted_size {self.fitted_size(self.defaults)}; "
                "allowed: both, or neither"
            )

    @property
    def parameter_names(self) -> tuple[str, ...]:
        """Names of the parameters, in the kernel's order."""
        return tuple(parameter.name for parameter in self.parameters)

    @property
    def defaults(self) -> tuple[float, ...]:
        """Defaults of the parameters, in the kernel's order."""
        return tuple(float(parameter.default) for parameter in self.parameters)

    @property
    def is_stateless(self) -> bool:
        """Whether a label is made of its own bar's inputs alone, so that it may be laid back from a higher timeframe.

        Examples
        --------
        >>> from admf_ray.classifiers import CLASSIFIERS
        >>> CLASSIFIERS["trend"].is_stateless, CLASSIFIERS["pattern"].is_stateless
        (True, False)
        """
        return self.fit is None and self.state_size(self.defaults) == 0

    def complete(self, given: Mapping[str, float], where: str = "classifier.params") -> dict[str, float]:
        """Fill in defaults and check values, names and constraints.

        Raises
        ------
        ConfigError
            Names the parameter or the constraint that does not hold.
        """
        return complete(self.parameters, given, where, self.constraints, self.name)


CLASSIFIERS: Registry[Classifier] = Registry("classifier")
