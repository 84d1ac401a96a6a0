"""What every test may rely on, and the flags that make the suite run longer or harder.

``--exhaustive`` runs whole families of which the suite otherwise runs a sample of fixed seeds (the
fixture ``fault_seed`` is such a family); ``--bundle-repeat N`` has Beam run every bundle so many times
more in each run of the job; ``--kill-point N`` replays one point of the kill harness.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import settings

pytest_plugins = ["emulators.plugin"]


settings.register_profile("suite", deadline=None, derandomize=True, database=None)
settings.register_profile("fuzz", max_examples=5_000, deadline=None, print_blob=True)
settings.load_profile("suite")


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("faults")
    group.addoption("--exhaustive", action="store_true", help="every seed and every kill point")
    group.addoption("--bundle-repeat", type=int, default=0, metavar="N", help="run each bundle N times more")
    group.addoption("--kill-point", type=int, metavar="N", help="only this point of the kill harness")


def pytest_configure(config: pytest.Config) -> None:
    if is_exhaustive(config):
        # what is drawn while modules are imported can ask for nothing else
        os.environ["EXHAUSTIVE"] = "1"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Gives a test that asks for ``fault_seed`` as many seeds as its mark ``seeds(usual, all)`` says."""
    if "fault_seed" in metafunc.fixturenames:
        mark = metafunc.definition.get_closest_marker("seeds")
        assert mark is not None, f"{metafunc.definition.nodeid} lacks the mark seeds(usual, all)"
        usual, all_of_them = mark.args
        metafunc.parametrize("fault_seed", range(all_of_them if is_exhaustive(metafunc.config) else usual))


def is_exhaustive(config: pytest.Config) -> bool:
    return bool(config.getoption("--exhaustive"))


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """A failing test with a seed ends with the one command that replays it."""
    outcome = yield
    report = outcome.get_result()  # type: ignore[attr-defined]
    if report.failed and "fault_seed" in getattr(item, "fixturenames", ()):
        report.sections.append(("replay", f"python -m pytest --exhaustive '{item.nodeid}'"))


@pytest.fixture
def exhaustive(request: pytest.FixtureRequest) -> bool:
    return is_exhaustive(request.config)


@pytest.fixture(scope="session", autouse=True)
def interruptible() -> Iterator[None]:
    """SIGINT interrupts: where the suite runs in the background it is ignored, by children, too."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(scope="session", autouse=True)
def repeated_bundles(request: pytest.FixtureRequest) -> Iterator[None]:
    """With ``--bundle-repeat`` every run of the job in this process is one of repeated bundles."""
    times = request.config.getoption("--bundle-repeat")
    if not times:
        yield
        return
    from apache_beam.options.pipeline_options import DirectOptions

    from pipeline import main

    make = main.make_pipeline_options

    def make_repeating(*given: Any) -> Any:
        options = make(*given)
        options.view_as(DirectOptions).direct_runner_bundle_repeat = times
        return options

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(main, "make_pipeline_options", make_repeating)
        yield
