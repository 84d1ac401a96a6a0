"""The one local runner: Beam's FnApiRunner, chosen explicitly, with a shutdown that must end.

Beam's own DirectRunner first tries to download another runner, for every pipeline. And its worker
processes can hang a pipeline in two places, so both are bounded here: a shutdown that does not end
gets its workers killed, and a pipeline whose worker died and which does not notice is given up.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import apache_beam as beam
import psutil
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.runners.portability.fn_api_runner import fn_runner, worker_handlers
from apache_beam.runners.runner import PipelineResult

from pipeline.errors import FeatureStoreError

SHUTDOWN_SECONDS = 30.0
LOST_WORKER_SECONDS = 30.0
POLL_SECONDS = 0.2
LOCAL_NAMES = ("DirectRunner", "FnApiRunner", "LocalRunner")

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
        try:
            if any("sdk_worker_main" in part for part in child.cmdline()):
                workers.append(child)
        except psutil.NoSuchProcess:
            continue
    return [w for w in workers if w.is_running() and w.status() != psutil.STATUS_ZOMBIE]


def _kill_workers() -> None:
    workers = _find_workers()
    _log.warning("worker processes did not stop within %g s; killing %d", SHUTDOWN_SECONDS, len(workers))
    for worker in workers:
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
    """Beam's flags for this many local workers: threads, which measured faster than processes."""
    if workers == 1:
        return []
    return ["--direct_running_mode=multi_threading", f"--direct_num_workers={workers}"]


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
    most, lost = 0, 0.0
    while True:
        try:
            result = outcome.get(timeout=POLL_SECONDS)
        except queue.Empty:
            workers = len(_find_workers()) if _uses_processes(pipeline.options) else 0
            most = max(most, workers)
            lost = lost + POLL_SECONDS if workers < most else 0.0
            if lost > LOST_WORKER_SECONDS:
                raise FeatureStoreError(
                    f"a worker process died and the pipeline did not end within "
                    f"{LOST_WORKER_SECONDS:g} s; run the same command again"
                ) from None
            continue
        if isinstance(result, BaseException):
            raise result
        return result


def _uses_processes(options: PipelineOptions) -> bool:
    mode = options.get_all_options().get("direct_running_mode")
    return bool(mode == "multi_processing")
