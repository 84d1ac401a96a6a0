"""What a template's launch writes, and that very graph run by workers of another environment."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.portability import python_urns
from apache_beam.portability.api import beam_runner_api_pb2
from apache_beam.runners import pipeline_context
from google.cloud import storage

from pipeline.local_runner import LocalRunner

Pipeline = beam_runner_api_pb2.Pipeline


@dataclass(frozen=True)
class Described:
    """The files that a template's launch leaves in a bucket: the request for the job, and the graph."""

    bucket: storage.Bucket

    @property
    def request(self) -> dict[str, Any]:
        found = json.loads(self.read("job_object"))
        assert isinstance(found, dict)
        return found

    @property
    def graph(self) -> Any:
        return read_graph(self.read("pipeline.pb"))

    def read(self, name: str) -> bytes:
        (blob,) = (blob for blob in self.bucket.list_blobs() if blob.name.endswith(f"/{name}"))
        content = blob.download_as_bytes()
        assert isinstance(content, bytes)
        return content


def read_graph(content: bytes) -> Any:
    graph = Pipeline()
    graph.ParseFromString(content)
    return graph


def run_graph(graph: Any, worker_python: Path | None = None) -> Any:
    """The graph that Dataflow would get, run here to its end: by a worker process of another environment, or
    in this process."""
    copy = Pipeline()
    copy.CopyFrom(graph)
    for environment in copy.components.environments.values():
        if worker_python is None:
            environment.urn, environment.payload = python_urns.EMBEDDED_PYTHON, b""
        else:
            command = f"{worker_python} -m apache_beam.runners.worker.sdk_worker_main"
            environment.urn, environment.payload = python_urns.SUBPROCESS_SDK, command.encode()
    result = LocalRunner().run_via_runner_api(copy, PipelineOptions([]))
    result.wait_until_finish()
    return result


@dataclass(frozen=True)
class Graph:
    """A graph, with its steps by the names that the service shows."""

    proto: Any

    @property
    def steps(self) -> dict[str, Any]:
        root, *_ = self.proto.root_transform_ids
        found = self.proto.components.transforms
        return {step.unique_name: step for name, step in found.items() if name != root}

    @property
    def leaves(self) -> dict[str, Any]:
        """The steps that hold no others; a step with several outputs is named without Beam's own part."""
        found = ((name, step) for name, step in self.steps.items() if not step.subtransforms)
        return {name.partition("/ParDo(_")[0]: step for name, step in found}

    def producer(self, collection: str) -> str:
        """The name of the step that makes a collection."""
        (name,) = (n for n, step in self.leaves.items() if collection in step.outputs.values())
        return name

    def upstream(self, name: str) -> list[str]:
        """The steps that a step's main inputs come from, nearest first, up to the impulse."""
        found: list[str] = []
        waiting = [name]
        while waiting:
            step = self.leaves[waiting.pop()]
            for tag, collection in step.inputs.items():
                if not tag.startswith("python_side_input"):
                    found.append(self.producer(collection))
                    waiting.append(found[-1])
        return found

    def coder_of(self, collection: str) -> str:
        """How a collection's elements are written, in words."""
        context = pipeline_context.PipelineContext(self.proto.components)
        return repr(context.coders.get_by_id(self.proto.components.pcollections[collection].coder_id))
