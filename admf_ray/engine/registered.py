"""The engine's components under the names by which specs know them."""

from admf_ray.containers import COMPONENTS, component_kind
from admf_ray.engine.account_state import AccountState
from admf_ray.engine.components import Execution, PortfolioBook, Risk
from admf_ray.engine.deciding import ClassifierRunner, EnsembleRunner, Feed, HubStream, StrategyRunner

__all__: list[str] = []

for _kind in (
    component_kind(Feed),
    component_kind(HubStream, "hub"),
    component_kind(ClassifierRunner, contract="classifier"),
    component_kind(EnsembleRunner, contract="ensemble"),
    component_kind(StrategyRunner, contract="strategy"),
    component_kind(Risk),
    component_kind(Execution),
    component_kind(PortfolioBook, "portfolio"),
    component_kind(AccountState, "account"),
):
    COMPONENTS.add(_kind)
