"""Which states may follow which, who is told, and what a forbidden change says."""

from itertools import pairwise, product

import pytest

from admf_ray.containers import TRANSITIONS, Lifecycle, State
from admf_ray.errors import EventError

U, I, R, C, F, D = State  # noqa: E741
# Written from the design, not from the table: built, subscribed, run, ended; reset; failing and disposal at any time,
# only what runs is stopped first.
ALLOWED = {(U, I), (I, R), (R, C), (C, I), (U, F), (I, F), (R, F), (C, F), (U, D), (I, D), (C, D), (F, D)}
PATHS = {U: [], I: [I], R: [I, R], C: [I, R, C], F: [F], D: [D]}


def life_in(state: State) -> Lifecycle:
    life = Lifecycle("container 'a'")
    for step in PATHS[state]:
        life.to(step)
    return life


@pytest.mark.parametrize(("before", "after"), list(product(State, State)))
def test_a_state_is_followed_by_what_the_design_allows_and_by_nothing_else(before: State, after: State) -> None:
    life = life_in(before)
    if (before, after) in ALLOWED:
        life.to(after)
        assert life.state is after
    else:
        with pytest.raises(EventError, match=rf"container 'a' cannot go from {before} to {after}; allowed: "):
            life.to(after)
        assert life.state is before


def test_the_message_names_what_is_allowed() -> None:
    with pytest.raises(EventError, match=r"from UNINITIALIZED to RUNNING; allowed: INITIALIZED, FAILED, DISPOSED$"):
        Lifecycle("a").to(R)
    with pytest.raises(EventError, match=r"from DISPOSED to INITIALIZED; allowed: nothing$"):
        life_in(D).to(I)


def test_listeners_are_told_of_before_and_after_in_the_order_in_which_they_came() -> None:
    life, told = Lifecycle("a"), []
    life.listen(lambda before, after: told.append((1, before, after)))
    life.listen(lambda before, after: told.append((2, before, after)))
    for step in (I, R, C, D):
        life.to(step)
    assert told == [(who, *step) for step in pairwise([U, I, R, C, D]) for who in (1, 2)]


def test_listeners_are_not_told_of_what_is_refused() -> None:
    life, told = Lifecycle("a"), []
    life.listen(lambda before, after: told.append(after))
    with pytest.raises(EventError):
        life.to(C)
    assert told == []


def test_a_listener_that_fails_stops_nothing_and_is_counted() -> None:
    def fail(before: State, after: State) -> None:
        raise ValueError("deaf")

    life, told = Lifecycle("a"), []
    life.listen(fail)
    life.listen(lambda before, after: told.append(after))
    life.to(I)
    life.to(R)
    assert told == [I, R]
    ((name, error), count), *others = life.failures.items()
    assert (name.rpartition(".")[2], error, count, others) == ("fail", "ValueError", 2, [])


def test_the_table_cannot_be_changed() -> None:
    with pytest.raises(TypeError):
        TRANSITIONS[D] = (I,)  # type: ignore[index]
