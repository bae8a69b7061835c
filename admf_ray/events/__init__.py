"""Events: what happened in a container, who is told, and what is kept of it; no trading."""

from admf_ray.events.barriers import (
    AllOf,
    AnyOf,
    Barrier,
    DataAlignment,
    Gate,
    Held,
    Lockstep,
    Ordering,
    OrderState,
    Reverting,
    Timing,
)
from admf_ray.events.bus import EventBus
from admf_ray.events.capture import SignalCapture
from admf_ray.events.channel import AccessPolicy, InterContainerChannel
from admf_ray.events.component_log import ComponentLog
from admf_ray.events.console import ConsoleObserver
from admf_ray.events.event import Event, EventId
from admf_ray.events.filters import (
    ContainerFilter,
    Filter,
    StrategyFilter,
    by_container,
    by_strategy,
    by_symbol,
    by_type,
)
from admf_ray.events.flow import EventFlowValidator, Flow, FlowFinding
from admf_ray.events.isolation import LIVE, ContainerRegistry, active, current_bus
from admf_ray.events.latency import HandlerLatency, LatencyStatistics
from admf_ray.events.memory import ContainerMemory, Retaining, container_memory, event_bytes, memory_statistics
from admf_ray.events.observers import BusObserver, HandlerTimer
from admf_ray.events.payloads import (
    PAYLOADS,
    TYPES,
    Bar,
    Ensemble,
    Error,
    EventType,
    Fill,
    Indicator,
    Order,
    OrderRejected,
    OrderRequest,
    Payload,
    Phase,
    Portfolio,
    PositionClose,
    PositionOpen,
    Regime,
    RiskBreach,
    Signal,
    System,
    TestWindow,
    TrainWindow,
)
from admf_ray.events.replay import EventReplay
from admf_ray.events.retention import Retention
from admf_ray.events.storage import read_trace
from admf_ray.events.subscription import ForwardingRule, Subscription
from admf_ray.events.trace import Trace
from admf_ray.events.trace_settings import LEVELS, PRESETS, TraceSettings, TracingConfig
from admf_ray.events.tracing import EventTracer, attach_tracer

__all__ = [
    "LEVELS",
    "LIVE",
    "PAYLOADS",
    "PRESETS",
    "TYPES",
    "AccessPolicy",
    "AllOf",
    "AnyOf",
    "Bar",
    "Barrier",
    "BusObserver",
    "ComponentLog",
    "ConsoleObserver",
    "ContainerFilter",
    "ContainerMemory",
    "ContainerRegistry",
    "DataAlignment",
    "Ensemble",
    "Error",
    "Event",
    "EventBus",
    "EventFlowValidator",
    "EventId",
    "EventReplay",
    "EventTracer",
    "EventType",
    "Fill",
    "Filter",
    "Flow",
    "FlowFinding",
    "ForwardingRule",
    "Gate",
    "HandlerLatency",
    "HandlerTimer",
    "Held",
    "Indicator",
    "InterContainerChannel",
    "LatencyStatistics",
    "Lockstep",
    "Order",
    "OrderRejected",
    "OrderRequest",
    "OrderState",
    "Ordering",
    "Payload",
    "Phase",
    "Portfolio",
    "PositionClose",
    "PositionOpen",
    "Regime",
    "Retaining",
    "Retention",
    "Reverting",
    "RiskBreach",
    "Signal",
    "SignalCapture",
    "StrategyFilter",
    "Subscription",
    "System",
    "TestWindow",
    "Timing",
    "Trace",
    "TraceSettings",
    "TracingConfig",
    "TrainWindow",
    "active",
    "attach_tracer",
    "by_container",
    "by_strategy",
    "by_symbol",
    "by_type",
    "container_memory",
    "current_bus",
    "event_bytes",
    "memory_statistics",
    "read_trace",
]
