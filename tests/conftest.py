"""What several test files share."""

import itertools
import os
import signal
import threading
import time
from contextlib import contextmanager

import hypothesis
import pytest
from commands import english, run  # noqa: F401

# The same examples in every run: what fails for one fails for all. No deadline: nothing here is timed.
hypothesis.settings.register_profile("firth", derandomize=True, deadline=None)
hypothesis.settings.load_profile("firth")


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory):
    """Encoded corpora of the tests stay out of the user's cache; programs that the tests start inherit the place."""
    folder = str(tmp_path_factory.mktemp("cache"))
    with pytest.MonkeyPatch.context() as patch:
        for name in ("XDG_CACHE_HOME", "LOCALAPPDATA"):
            patch.setitem(os.environ, name, folder)
        yield


@pytest.fixture(scope="session", autouse=True)
def ctrl_c_is_heard():
    """Also in a shell's background, which ignores it; programs that the tests start inherit that."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def products_in_float32(tmp_path_factory):
    """Also where the processor is fast in bf16, whose rounding hides what is compared; in processes begun here, too."""
    torch = pytest.importorskip("torch")
    folder = tmp_path_factory.mktemp("site")
    (folder / "sitecustomize.py").write_text("import torch\n\ntorch.cpu.get_capabilities = dict\n", encoding="utf-8")
    with pytest.MonkeyPatch.context() as patched:  # its own: a test may undo what it patched itself
        patched.setattr(torch.cpu, "get_capabilities", dict)
        patched.setenv("PYTHONPATH", str(folder), prepend=os.pathsep)
        yield


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
