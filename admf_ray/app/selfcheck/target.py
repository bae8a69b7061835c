"""The target of a self-check: what an experiment trades, ready to be run by either engine."""

import re
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace

from admf_ray.app.assemble import assemble_search, load_data, single_span
from admf_ray.app.compose import book_settings
from admf_ray.app.configuration import compose_settings, config_directory, experiments
from admf_ray.app.settings import TRADING, Settings
from admf_ray.core.bars import Bars
from admf_ray.core.registry import unknown_name
from admf_ray.engine.composition import Composition
from admf_ray.engine.event_driven import BOOK, Market, open_market, run_books_in_containers
from admf_ray.engine.result import Segment, run_segment
from admf_ray.engine.setup import Setup
from admf_ray.errors import ConfigError, ContractError, ReproductionError
from admf_ray.events import EventBus
from admf_ray.indicators import Hub
from admf_ray.optimize import Search, compute_together, plan_search, segment_fingerprint

__all__ = ["Target", "assemble_target", "confirm", "prints", "require", "target_settings"]

_FEWEST = 40
_OF_PLACE = ("run_root=null", "run_name=null", "cluster=serial", "report=none")
_LAID_OVER = ("data", "span", "plugins")

Attach = Callable[[EventBus], object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What is checked: the books of an experiment over one span, a candidate each.

    Attributes
    ----------
    name : str
        Of the experiment.
    settings : Settings
    bars : Bars
    span : tuple of int
        Half-open, in bars.
    searches : dict of str to Search
        By book, with one candidate each, of one plan.
    hub : Hub
        Of that plan.
    setups : dict of str to Setup
        By book.
    observe : callable, optional
        Is called with each bus of its containers before anything happens, to attach observers, beside those that a
        check attaches itself.
    """

    name: str
    settings: Settings
    bars: Bars
    span: tuple[int, int]
    searches: dict[str, Search]
    hub: Hub
    setups: dict[str, Setup]
    observe: Attach | None = None

    @property
    def books(self) -> dict[str, Composition]:
        """Compositions by book."""
        return {name: setup.composition for name, setup in self.setups.items()}

    @property
    def year(self) -> tuple[int, int]:
        """The last year of the span, or all of a shorter one."""
        start, stop = self.span
        return max(start, stop - round(self.bars.periods_per_year)), stop

    def observing(self, *attach: Attach | None) -> Attach:
        """Give what attaches observers of a check, and those of the target."""
        every = [one for one in (*attach, self.observe) if one is not None]

        def observe(bus: EventBus) -> None:
            for one in every:
                one(bus)

        return observe

    def compiled(self, span: tuple[int, int] | None = None) -> dict[str, Segment]:
        """Simulate each book on the compiled engine."""
        return {name: run_segment(setup, *(span or self.span)) for name, setup in self.setups.items()}

    def contained(
        self, span: tuple[int, int] | None = None, attach: Attach | None = None, hub: Hub | None = None
    ) -> dict[str, Segment]:
        """Simulate all books in containers; ``hub`` has its indicators computed there bar by bar."""
        return run_books_in_containers(self.setups, *(span or self.span), observe=self.observing(attach), hub=hub)

    def market(
        self, attach: Attach | None = None, books: Mapping[str, Composition] | None = None
    ) -> AbstractContextManager[Market]:
        """Start the containers of its books, or of other ones."""
        return open_market(books or self.books, observe=self.observing(attach))

    def on(self, bars: Bars) -> "Target":
        """Give the same books on other bars, with the numbers that classifiers were fitted to before."""
        searches = {name: _planned(one, bars) for name, one in self.searches.items()}
        hub = compute_together(searches.values())
        fitted = {name: setup.fitted for name, setup in self.setups.items()}
        setups = {
            name: replace(replace(one, fit=None).setup(hub, 0), fitted=fitted[name]) for name, one in searches.items()
        }
        return replace(self, bars=bars, searches=searches, hub=hub, setups=setups)


def _planned(search: Search, bars: Bars) -> Search:
    planned = plan_search(bars, search.composition, search.candidates, search.rules)
    return replace(planned, engine=search.engine, fit=search.fit)


def require(holds: bool, said: str) -> None:
    """Refuse what does not hold.

    Raises
    ------
    ContractError
        Saying what is broken.
    """
    if not holds:
        raise ContractError(said)


def prints(segments: Mapping[str, Segment]) -> dict[str, str]:
    """Give the fingerprint of what each book came to."""
    return {name: segment_fingerprint(segment) for name, segment in segments.items()}


def confirm(found: Mapping[str, str], expected: Mapping[str, str], how: str) -> None:
    """Refuse books that came out otherwise than expected.

    Raises
    ------
    ReproductionError
        Names the books, and how they were computed.
    """
    wrong = [name for name, fingerprint in expected.items() if found[name] != fingerprint]
    if wrong:
        raise ReproductionError(f"{', '.join(wrong)} {how}: another result than by the compiled engine")


# From settings


def target_settings(name: str, given: Settings, option: str = "target") -> Settings:
    """Compose the configuration of an experiment as the command line would, with nothing written anywhere.

    Parameters
    ----------
    name : str
        Of the experiment.
    given : Settings
        Of the self-check: data, span and plugins that were chosen for it are laid over those of the experiment.
    option : str
        That names the experiment, for refusals.

    Raises
    ------
    ConfigError
        Where there is no such experiment, or it trades nothing.
    """
    if name not in experiments():
        raise ConfigError(f"{option}: {unknown_name('experiment', name, _trading())}")
    settings = compose_settings([f"+experiment={name}", *_OF_PLACE])
    if settings.experiment not in TRADING:
        raise ConfigError(f"{option}: {name} trades nothing; allowed: {', '.join(_trading())}")
    usual = compose_settings(["+experiment=selfcheck"])
    chosen = {
        section: getattr(given, section) for section in _LAID_OVER if getattr(given, section) != getattr(usual, section)
    }
    return settings.model_copy(update=chosen)


def _trading() -> list[str]:
    """Give the experiments that trade: what another experiment is built on does, as only those are built on."""
    found = {}
    for path in sorted(config_directory().glob("experiment/*.yaml")):
        named = re.search(r"^experiment: (\w+)", path.read_text(), flags=re.MULTILINE)
        found[path.stem] = named is None or named[1] in TRADING
    return [name for name, trades in found.items() if trades]


def assemble_target(name: str, settings: Settings) -> Target:
    """Load the data of an experiment and plan its books, of a search with its own parameters.

    Raises
    ------
    ConfigError
        Where there are too few bars to check anything on.
    """
    bars = load_data(settings)
    of_books = book_settings(settings) if settings.books else {BOOK: settings}
    span = single_span(settings, bars)
    if span[1] - span[0] < _FEWEST:
        raise ConfigError(f"span: {span[1] - span[0]} bars; allowed: {_FEWEST} or more to check anything on")
    searches = {book: assemble_search(own, bars, searched=False) for book, own in of_books.items()}
    hub = compute_together(searches.values())
    # What a search would fit on its train spans is fitted on the bars before the middle.
    fit = span[0], sum(span) // 2
    setups = {book: search.setup(hub, 0, fit) for book, search in searches.items()}
    return Target(name=name, settings=settings, bars=bars, span=span, searches=searches, hub=hub, setups=setups)
