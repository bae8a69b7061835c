"""Plugins: strategies, indicators, sizing rules and components of the user's own, one source file each.

A plugin file imports its tools from here::

    from admf_ray.plugins import Parameter, strategy

    @strategy(inputs=("close",), parameters=(Parameter("lag", 120, 1, 500),), warm_up=lambda params: int(params[0]))
    def momentum(matrix, rows, session, params, state, start, stop, out):
        ...

A strategy may be plain Python instead, a class or a function that sees the past of one bar after the other (`View`)::

    @strategy(parameters=(Parameter("lag", 120, 1, 500),), warm_up=lambda params: int(params[0]))
    def momentum(view):
        lag = view.params.lag
        return None if view.bar < lag else view.close[-1] > view.close[-1 - lag]

The source of a plugin travels to the workers as text, is written to a file there and imported. Its kernels are
compiled in every process: what they are made of is never older than the run.
"""

from admf_ray.core.parameters import Parameter
from admf_ray.plugins.decorators import classifier, component, indicator, sizing, strategy
from admf_ray.plugins.loading import activate, active_entries, active_plugins
from admf_ray.plugins.source import ENTRY_POINTS, Plugin, find_plugins, plugin_file
from admf_ray.strategies.view import PanelView, Past, View

__all__ = [
    "ENTRY_POINTS",
    "PanelView",
    "Parameter",
    "Past",
    "Plugin",
    "View",
    "activate",
    "active_entries",
    "active_plugins",
    "classifier",
    "component",
    "find_plugins",
    "indicator",
    "plugin_file",
    "sizing",
    "strategy",
]
