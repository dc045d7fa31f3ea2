"""What several test files share."""

import itertools
import signal
import threading
import time
from contextlib import contextmanager

import pytest


@pytest.fixture
def ctrl_c_in_step(monkeypatch):
    """A context in which Ctrl-C is pressed while a family takes its step `number`, counted from 1."""
    if not hasattr(signal, "pthread_kill"):
        pytest.skip("no signal can be sent to a thread here")

    @contextmanager
    def pressing(family, number):
        step, calls = type(family).step, itertools.count()  # call 0 only compiles

        def interrupted_step(*arguments, **keywords):
            if next(calls) == number:
                signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)
                time.sleep(0.3)  # the main thread stops the run meanwhile
            return step(*arguments, **keywords)

        with monkeypatch.context() as patch:
            patch.setattr(type(family), "step", interrupted_step)
            yield

    return pressing
