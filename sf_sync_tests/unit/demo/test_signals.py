"""The first signal ends the demo, and none breaks off its clean-up."""

from __future__ import annotations

import os
import signal

import pytest

from sf_sync.demo.signals import NUMBERS, Signals, Stopped


def raise_signal(number: int = signal.SIGTERM) -> None:
    os.kill(os.getpid(), number)


@pytest.mark.parametrize("number", NUMBERS)
def test_a_signal_is_raised_once(number: int) -> None:
    with Signals():
        with pytest.raises(Stopped) as stopped:
            raise_signal(number)
        raise_signal(number)
    assert (stopped.value.number, stopped.value.exit_code) == (number, 128 + number)


def test_in_a_held_block_it_is_raised_at_the_end() -> None:
    done: list[str] = []

    def step(signals: Signals) -> None:
        with signals.held():
            raise_signal()
            done.append("all of it")

    with Signals() as signals, pytest.raises(Stopped):
        step(signals)
    assert done == ["all of it"]


def test_after_a_held_block_signals_are_raised_again() -> None:
    with Signals() as signals:
        with signals.held():
            pass
        with pytest.raises(Stopped):
            raise_signal()


def test_an_error_in_a_held_block_is_what_is_raised() -> None:
    def step(signals: Signals) -> None:
        with signals.held():
            raise_signal()
            raise ValueError("first")

    with Signals() as signals, pytest.raises(ValueError, match="first"):
        step(signals)


def test_what_is_ignored_is_not_raised() -> None:
    with Signals() as signals:
        signals.ignore()
        raise_signal()
        with signals.held():
            raise_signal()


def test_the_handlers_of_before_come_back() -> None:
    before = [signal.getsignal(number) for number in NUMBERS]
    with Signals():
        pass
    assert [signal.getsignal(number) for number in NUMBERS] == before


def test_a_terminal_that_is_meant_to_be_outlived_ends_nothing() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with Signals():
            raise_signal(signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, before)
