"""Where a job is launched, and on what: flags -> one checked value. What it computes is not here."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import ip_address

from pipeline.dataflow.naming import is_label
from pipeline.errors import UsageError
from pipeline.flags import whole_number
from pipeline.warehouse.bigquery_address import BIGQUERY, parse_address

MOST_MACHINES = 1_000
_CORES = re.compile(r"-([0-9]{1,3})$")


@dataclass(frozen=True)
class Service:
    """The Dataflow service of a project and region; ``endpoint`` where it answers when it is not Google's."""

    project: str
    region: str
    endpoint: str | None = None


@dataclass(frozen=True)
class Target:
    """The template to launch and the machines that run its job."""

    service: Service
    template: str
    image: str
    machine_type: str
    max_workers: int
    service_account: str | None
    network: str | None
    subnetwork: str | None
    temp_location: str | None
    labels: tuple[tuple[str, str], ...]

    @property
    def cores(self) -> int:
        """The cores of all workers, as far as the name of the machine type tells them."""
        found = _CORES.search(self.machine_type)
        return self.max_workers * (int(found[1]) if found else 1)


def _text(what: str, pattern: str) -> Callable[[str], str]:
    """An argparse type: a text that a pattern matches whole."""

    def parse(text: str) -> str:
        if not re.fullmatch(pattern, text):
            raise argparse.ArgumentTypeError(f"expected {what}, found {text[:80]!r}")
        return text

    return parse


_GCS = r"gs://[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]"
_PROJECT = r"(?:[a-z0-9.-]{1,63}:)?[a-z][a-z0-9-]{4,28}[a-z0-9]"
_NAME = r"[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?"
_IMAGE = r"[a-z0-9.-]+(?:/[A-Za-z0-9._-]+)+(?::(?!latest$)[A-Za-z0-9_][A-Za-z0-9._-]*|@sha256:[0-9a-f]{64})"


def endpoint(text: str) -> str:
    """An argparse type: ``http://HOST:PORT`` on loopback. Credentials go to Google's service only."""
    found = re.fullmatch(r"http://([0-9.]+|localhost):[0-9]{1,5}", text)
    try:
        if found and (found[1] == "localhost" or ip_address(found[1]).is_loopback):
            return text
    except ValueError:
        pass
    raise argparse.ArgumentTypeError(f"expected http://HOST:PORT on loopback, found {text[:80]!r}")


def labels(text: str) -> tuple[tuple[str, str], ...]:
    """An argparse type: ``NAME=VALUE,NAME=VALUE``."""
    pairs = [pair.partition("=") for pair in text.split(",")]
    for name, equals, value in pairs:
        if not equals or not re.fullmatch("[a-z][a-z0-9_-]{0,62}", name) or not is_label(value):
            raise argparse.ArgumentTypeError(
                f"expected labels as NAME=VALUE,... in lower case, found {text[:80]!r}"
            )
    return tuple((name, value) for name, _, value in pairs)


def add_service_flags(parser: argparse.ArgumentParser) -> None:
    """Which Dataflow service is asked."""
    parser.add_argument(
        "--project",
        type=_text("a project", _PROJECT),
        help="the project that runs jobs (default: the warehouse's)",
    )
    parser.add_argument("--region", type=_text("a region such as us-central1", _NAME), required=True)
    parser.add_argument(
        "--dataflow-endpoint",
        type=endpoint,
        metavar="http://HOST:PORT",
        help="another service than Google's, on loopback, asked without credentials",
    )


def add_target_flags(parser: argparse.ArgumentParser) -> None:
    """What is launched, and on what machines."""
    add_service_flags(parser)
    parser.add_argument(
        "--template",
        type=_text("a template gs://BUCKET/NAME.json", _GCS + r"/[^ ]+"),
        required=True,
        metavar="gs://BUCKET/NAME.json",
        help="the flex template, as `make template` builds it",
    )
    parser.add_argument(
        "--image",
        type=_text("an image NAME:TAG, with a tag other than latest", _IMAGE),
        required=True,
        metavar="NAME:TAG",
        help="the template's image, which the workers run too",
    )
    parser.add_argument(
        "--machine-type", type=_text("a machine type", _NAME), default="n2-standard-4", metavar="TYPE"
    )
    parser.add_argument(
        "--max-workers", type=whole_number(1, MOST_MACHINES), default=4, metavar="N", help="(default: 4)"
    )
    parser.add_argument(
        "--service-account",
        type=_text("the e-mail address of a service account", r"[a-z0-9-]+@[a-z0-9.-]+"),
        metavar="EMAIL",
        help="who the launcher's machine and the workers are",
    )
    parser.add_argument("--network", type=_text("a network", _NAME), metavar="NAME")
    parser.add_argument(
        "--subnetwork",
        type=_text(
            "a subnetwork",
            r"(?:https://www\.googleapis\.com/compute/v1/projects/[^/ ]+/)?"
            r"regions/[a-z0-9-]+/subnetworks/[a-z0-9-]+",
        ),
        metavar="regions/REGION/subnetworks/NAME",
        help="where workers need no public address",
    )
    parser.add_argument(
        "--temp-location",
        type=_text("a folder gs://BUCKET/PATH", _GCS + r"(?:/[A-Za-z0-9._=-]+)*/?"),
        metavar="gs://BUCKET/PATH",
        help="the service's own temporary files (default: the warehouse's temp)",
    )
    parser.add_argument(
        "--labels", type=labels, default=(), metavar="NAME=VALUE,...", help="further labels of the job"
    )


def read_service(arguments: argparse.Namespace) -> Service:
    """The service of parsed flags. Raises ``UsageError`` for a warehouse that its workers cannot reach."""
    if not arguments.warehouse.startswith(BIGQUERY):
        raise UsageError(
            f"workers of a service cannot reach {arguments.warehouse}: launch with --warehouse=bigquery://PROJECT"
        )
    project = arguments.project or parse_address(arguments.warehouse).project
    return Service(project, arguments.region, arguments.dataflow_endpoint)


def read_target(arguments: argparse.Namespace) -> Target:
    """The target of parsed flags."""
    service = read_service(arguments)
    address = parse_address(arguments.warehouse)
    if address.temp is None:
        raise UsageError(
            "workers share no disk: launch with a folder for the files of a run, "
            "--warehouse='bigquery://PROJECT?temp=gs://BUCKET/PATH'"
        )
    return Target(
        service=service,
        template=arguments.template,
        image=arguments.image,
        machine_type=arguments.machine_type,
        max_workers=arguments.max_workers,
        service_account=arguments.service_account,
        network=arguments.network,
        subnetwork=arguments.subnetwork,
        temp_location=arguments.temp_location or address.temp,
        labels=arguments.labels,
    )
