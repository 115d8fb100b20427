"""Guessing is slow, and nobody is locked out by it."""

from __future__ import annotations

from sf_sync.web.page.tries import FIRST_S, FORGOTTEN_S, LONGEST_S, MOST_ADDRESSES, MOST_WAITING, Tries


def test_each_wrong_try_waits_longer_up_to_a_bound() -> None:
    tries = Tries()
    waits = [tries.wrong("a") for _ in range(40)]
    assert waits[:3] == [FIRST_S, 2 * FIRST_S, 4 * FIRST_S]
    assert waits == sorted(waits)
    assert waits[-1] == LONGEST_S


def test_the_tries_of_one_address_are_none_of_another() -> None:
    tries = Tries()
    for _ in range(10):
        tries.wrong("a")
    assert tries.wrong("b") == FIRST_S


def test_tries_are_forgotten_after_a_while_and_after_a_right_one() -> None:
    now = 0.0
    tries = Tries(clock=lambda: now)
    for _ in range(10):
        tries.wrong("a")
    now = FORGOTTEN_S + 1
    assert tries.wrong("a") == FIRST_S
    tries.wrong("a")
    tries.right("a")
    assert tries.wrong("a") == FIRST_S


def test_many_addresses_take_no_more_memory() -> None:
    tries = Tries()
    for number in range(MOST_ADDRESSES + 100):
        tries.wrong(str(number))
    assert len(tries._wrong) == MOST_ADDRESSES


def test_so_many_may_wait_and_no_more() -> None:
    tries = Tries()
    tries.waiting = MOST_WAITING - 1
    assert not tries.full
    tries.waiting += 1
    assert tries.full
