"""The event-driven engine: candidates in containers, bit-identical to the compiled simulation."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from itertools import count
from typing import Any

import numpy as np

from admf_ray.containers import SERVICES_OF, ComponentSpec, ContainerSpec, ScopedContainer
from admf_ray.engine.account_state import AccountState
from admf_ray.engine.components import Execution, PortfolioBook, Risk
from admf_ray.engine.composition import Composition
from admf_ray.engine.deciding import ClassifierRunner, EnsembleRunner, Feed, HubStream, StrategyRunner
from admf_ray.engine.result import Segment, segment_of
from admf_ray.engine.setup import Setup
from admf_ray.events import Event, EventBus, EventType, ForwardingRule
from admf_ray.indicators import Hub

__all__ = [
    "BOOK",
    "Book",
    "Market",
    "container_spec",
    "open_market",
    "run_books_in_containers",
    "run_segment_in_container",
]

BOOK = "book"
"""Name of the only book of a market."""

_DOWN = ForwardingRule("down", frozenset({EventType.BAR, EventType.REGIME}))
_BARS_DOWN = ForwardingRule("down", frozenset({EventType.BAR}))
_SIGNALS_UP = ForwardingRule("up", frozenset({EventType.SIGNAL}))
_NUMBERS = count(1)
_DECIDING = (EnsembleRunner, Risk, Execution, PortfolioBook)


def container_spec(books: Mapping[str, Composition], streams: bool = False) -> ContainerSpec:
    """Give the containers of books that are traded side by side on one market.

    A single strategy without a classifier, as the only book and under the name `BOOK`, is a chain in one container.
    Otherwise the market holds the feed, and each book its classifiers, which hold its risk container, which holds a
    container for each strategy.

    Parameters
    ----------
    books : mapping of str to Composition
    streams : bool
        Whether indicators are computed bar by bar, for all books.
    """
    feed = [*([ComponentSpec("hub", HubStream)] if streams else []), ComponentSpec("feed", Feed)]
    only = books.get(BOOK)
    if only is not None and len(books) == 1 and only.ensemble is None and not only.watches:
        chain = _account(only)
        strategy = ComponentSpec("strategy_runner", StrategyRunner)
        return ContainerSpec(
            "backtest",
            # Whoever is declared first hears a bar first: the fills of the open come before what its close decides.
            (*feed[:-1], *chain[:-1], strategy, chain[-1], feed[-1]),
            description="one strategy: feed > strategy > risk > execution > portfolio",
        )
    return ContainerSpec(
        "backtest",
        feed,
        {name: _book(composition) for name, composition in books.items()},
        description=f"market of {', '.join(f'{name}: {composition.name}' for name, composition in books.items())}",
    )


def _account(composition: Composition) -> list[ComponentSpec]:
    """Give the components of an account, risk last."""
    needs = {"account": "account"}
    options = {
        "strategies": composition.member_names,
        "is_combined": composition.ensemble is not None,
        "regime": composition.watches[0].name if composition.watches else None,
    }
    return [
        ComponentSpec("account", AccountState),
        ComponentSpec("execution", Execution, needs),
        ComponentSpec("portfolio", PortfolioBook, needs),
        ComponentSpec("risk", Risk, needs, options),
    ]


def _book(composition: Composition) -> ContainerSpec:
    components = _account(composition)
    names = composition.member_names
    if composition.ensemble is not None:
        components.append(ComponentSpec("ensemble", EnsembleRunner, options={"strategies": names}))
    waits = bool(composition.watches)
    down = _DOWN if waits else _BARS_DOWN
    strategies = {
        name: ContainerSpec(
            "backtest",
            [ComponentSpec("strategy_runner", StrategyRunner, options={"member": m, "waits": waits})],
            forwards=(down, _SIGNALS_UP),
            description="strategy",
        )
        for m, name in enumerate(names)
    }
    risk = ContainerSpec("backtest", components, strategies, (down,), "risk and portfolio")
    if not composition.watches:
        return risk
    classifiers = [
        ComponentSpec(watch.name, ClassifierRunner, options={"watch": w}) for w, watch in enumerate(composition.watches)
    ]
    return ContainerSpec("backtest", classifiers, {"risk": risk}, (_BARS_DOWN,), "classifiers")


class Book:
    """The components of one book, found in its containers.

    Parameters
    ----------
    containers : iterable of ScopedContainer
        Parents first.
    """

    def __init__(self, containers: Iterator[ScopedContainer]) -> None:
        found = (one.value for container in containers for one in container.components)
        self._components = [one for one in found if not isinstance(one, (Feed, HubStream))]
        self._classifiers = [one for one in self._components if isinstance(one, ClassifierRunner)]
        self._ensemble = next((one for one in self._components if isinstance(one, EnsembleRunner)), None)
        (self.account,) = (one for one in self._components if isinstance(one, AccountState))

    @property
    def ends(self) -> list[Callable[[int, Event[Any]], None]]:
        """What is done at the end of a bar, when all that was published has been delivered, in order."""
        of = self._components
        return [
            *(one.end_bar for one in of if isinstance(one, StrategyRunner) and one.waits),
            *(one.end_bar for kind in _DECIDING for one in of if type(one) is kind),
        ]

    def begin(self, setup: Setup, span: tuple[int, int]) -> None:
        """Have all components take up a candidate."""
        self._setup, self._span = setup, span
        for component in self._components:
            component.begin(setup, span)

    def segment(self) -> Segment:
        """Give what came of the candidate."""
        state, (start, stop) = self.account, self._span
        regimes = np.empty((len(self._classifiers), stop - start), dtype=np.int64)
        for classifier in self._classifiers:
            regimes[classifier.watch] = classifier.regimes(self._span)
        shares = None if self._ensemble is None else self._ensemble.shares
        return segment_of(
            self._setup, self._span, state.account, state.holdings, state.path, state.fills, regimes, shares
        )


class Market:
    """Runs books bar by bar in containers that have been started; again and again if they are reset in between.

    Parameters
    ----------
    container : ScopedContainer
        Of a spec that `container_spec` gave.

    Attributes
    ----------
    container : ScopedContainer
    books : dict of str to Book
    """

    def __init__(self, container: ScopedContainer) -> None:
        self.container = container
        nested = container.children
        self.books = (
            {child.container_id.removeprefix(f"{container.container_id}."): Book(child.family()) for child in nested}
            if nested
            else {BOOK: Book(iter((container,)))}
        )
        self._feed: Feed = container.resolve("feed")
        self._hub = next((one.value for one in container.components if isinstance(one.value, HubStream)), None)

    def begin(self, setups: Mapping[str, Setup], span: tuple[int, int], hub: Hub | None = None) -> None:
        """Take up a candidate for each book.

        Parameters
        ----------
        setups : mapping of str to Setup
            By book, all of the same bars.
        span : (int, int)
            Half-open, in bars.
        hub : Hub, optional
            That is streamed, where the containers stream one.
        """
        if self._hub is not None:
            assert hub is not None
            matrix = self._hub.begin(hub, span[0])
            setups = {name: setup.reading(matrix) for name, setup in setups.items()}
        for name, book in self.books.items():
            book.begin(setups[name], span)
        self._feed.begin(next(iter(setups.values())), span)
        self._ends = [end for book in self.books.values() for end in book.ends]

    def bar(self, bar: int) -> None:
        """Run one bar."""
        self.run((bar, bar + 1))

    def run(self, span: tuple[int, int]) -> None:
        """Run a span of bars."""
        publish, ends = self._feed.publish, self._ends
        for bar in range(*span):
            closing = publish(bar)
            # All signals of the bar are there: publishing ends when nothing waits.
            for end in ends:
                end(bar, closing)


@contextmanager
def open_market(
    books: Mapping[str, Composition],
    container_id: str | None = None,
    observe: Callable[[EventBus], object] | None = None,
    streams: bool = False,
) -> Iterator[Market]:
    """Start the containers of books, and dispose of them after the block.

    Parameters
    ----------
    books : mapping of str to Composition
    container_id : str, optional
        A number of its own by default.
    observe : callable, optional
        Called with each bus before anything happens, to attach observers.
    streams : bool
        See `container_spec`.
    """
    name = container_id or f"backtest_{next(_NUMBERS)}"
    spec = container_spec(books, streams)
    with ScopedContainer(spec, name, errors="raise", policy=SERVICES_OF, observe=observe) as container:
        yield Market(container)


def run_books_in_containers(
    setups: Mapping[str, Setup],
    start: int,
    stop: int,
    container_id: str | None = None,
    observe: Callable[[EventBus], object] | None = None,
    hub: Hub | None = None,
) -> dict[str, Segment]:
    """Simulate books side by side, bar by bar, and keep what each came to.

    Parameters
    ----------
    setups : mapping of str to Setup
        By book, all of the same bars.
    start, stop : int
        Half-open, in bars.
    container_id, observe
        As in `open_market`.
    hub : Hub, optional
        Of these setups: it is computed bar by bar in the container instead of being read. The bits are the same.
    """
    books = {name: setup.composition for name, setup in setups.items()}
    with open_market(books, container_id, observe, hub is not None) as market:
        market.begin(setups, (start, stop), hub)
        market.run((start, stop))
        return {name: book.segment() for name, book in market.books.items()}


def run_segment_in_container(
    setup: Setup,
    start: int,
    stop: int,
    container_id: str | None = None,
    observe: Callable[[EventBus], object] | None = None,
    hub: Hub | None = None,
) -> Segment:
    """Simulate one candidate over one span in containers, and keep its path, fills and trades.

    Parameters as in `run_books_in_containers`; `admf_ray.engine.result.run_segment` gives the same to the last bit.
    """
    return run_books_in_containers({BOOK: setup}, start, stop, container_id, observe, hub)[BOOK]
