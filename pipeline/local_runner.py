"""The one local runner: Beam's FnApiRunner, chosen explicitly, with a shutdown that must end.

Beam's own DirectRunner first tries to download another runner, for every pipeline. And its worker
processes can hang a pipeline in two places, so both are bounded here: a shutdown that does not end
gets its workers killed, and a pipeline whose worker died and which does not notice is given up.
"""

from __future__ import annotations

import logging
import queue
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import apache_beam as beam
import psutil
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.runners.portability.fn_api_runner import fn_runner, worker_handlers
from apache_beam.runners.runner import PipelineResult

from pipeline.errors import FeatureStoreError, restore_error, shorten_reason

SHUTDOWN_SECONDS = 30.0
LOST_WORKER_SECONDS = 30.0
POLL_SECONDS = 0.2
LOCAL_NAMES = ("DirectRunner", "FnApiRunner", "LocalRunner")

_LOST_CHANNEL = "Channel closed prematurely"
_OURS = f"{FeatureStoreError.__module__}."
_CHAINED = re.compile(r"\n\n(?:During handling of|The above exception was)[^\n]*\n\n")
_END_OF_FRAMES = re.compile(r"^[ ]+[^\n]*\n", re.MULTILINE)

_log = logging.getLogger(__name__)


class _BoundedManager(worker_handlers.WorkerHandlerManager):  # type: ignore[misc]
    """Worker handlers whose shutdown ends: after a while the worker processes are killed."""

    def close_all(self) -> None:
        timer = threading.Timer(SHUTDOWN_SECONDS, _kill_workers)
        timer.daemon = True
        timer.start()
        try:
            super().close_all()
        finally:
            timer.cancel()


def _find_workers() -> list[psutil.Process]:
    workers = []
    for child in psutil.Process().children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            named = any("sdk_worker_main" in part for part in child.cmdline())
            if named and child.status() != psutil.STATUS_ZOMBIE:
                workers.append(child)
    return workers


def _kill_workers() -> None:
    workers = _find_workers()
    _log.warning("worker processes did not stop by themselves; killing %d", len(workers))
    for worker in workers:
        with suppress(psutil.NoSuchProcess):
            worker.kill()


class LocalRunner(fn_runner.FnApiRunner):  # type: ignore[misc]
    """FnApiRunner with a bounded shutdown."""

    def run_stages(self, *args: object, **kwargs: object) -> PipelineResult:
        with _replace_manager():
            return super().run_stages(*args, **kwargs)


@contextmanager
def _replace_manager() -> Iterator[None]:
    original = fn_runner.WorkerHandlerManager
    fn_runner.WorkerHandlerManager = _BoundedManager
    try:
        yield
    finally:
        fn_runner.WorkerHandlerManager = original


def parallel_flags(workers: int) -> list[str]:
    """Beam's flags for this many local workers: threads of this process that share its memory.

    Not ``multi_threading``: there every batch goes through gRPC, in streams that a timer flushes
    while a coder is writing an element.
    """
    if workers == 1:
        return []
    return ["--direct_running_mode=in_memory", f"--direct_num_workers={workers}"]


def run_watched(pipeline: beam.Pipeline) -> PipelineResult:
    """Runs a local pipeline to its end; raises when a worker process is lost and nobody notices.

    The pipeline runs in a thread of its own, so that the caller's thread stays free for signals.
    """
    outcome: queue.Queue[PipelineResult | BaseException] = queue.Queue()

    def run() -> None:
        try:
            result = pipeline.run()
            result.wait_until_finish()
            outcome.put(result)
        except BaseException as error:
            outcome.put(error)

    threading.Thread(target=run, name="pipeline", daemon=True).start()
    watched = _uses_processes(pipeline.options)
    try:
        result = _wait_for(outcome, watched)
    except BaseException:
        # the run is over for the caller, so nothing of it may go on
        if watched:
            _kill_workers()
        raise
    if isinstance(result, Exception):
        restored = restore_worker_error(result)
        if restored is not result:
            raise restored from result
    if isinstance(result, BaseException):
        raise result
    return result


def _wait_for(
    outcome: queue.Queue[PipelineResult | BaseException], watched: bool
) -> PipelineResult | BaseException:
    most, complete_at = 0, time.monotonic()
    while True:
        with suppress(queue.Empty):
            return outcome.get(timeout=POLL_SECONDS)
        workers = len(_find_workers()) if watched else 0
        if workers >= most:
            most, complete_at = workers, time.monotonic()
        if time.monotonic() - complete_at > LOST_WORKER_SECONDS:
            raise FeatureStoreError(
                f"a worker process died and the pipeline did not end within "
                f"{LOST_WORKER_SECONDS:g} s; run the same command again"
            )


def restore_worker_error(error: Exception) -> Exception:
    """The error of this project that a worker process raised, where Beam sent its traceback as text."""
    text = str(error)
    if _LOST_CHANNEL in text:
        return FeatureStoreError("a worker process died; nothing was published, run the same command again")
    if type(error) is not RuntimeError or not text.startswith("Traceback "):
        return error
    last_lines = [_END_OF_FRAMES.split(block)[-1].strip() for block in _CHAINED.split(text)]
    ours = [lines for lines in last_lines if lines.startswith(_OURS)]
    return (
        restore_error(ours[-1].removeprefix(_OURS))
        if ours
        else FeatureStoreError(shorten_reason(last_lines[0]))
    )


def _uses_processes(options: PipelineOptions) -> bool:
    mode = options.get_all_options().get("direct_running_mode")
    return bool(mode == "multi_processing")
