"""The request that launches a job, as the service's REST interface takes it. Pure."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import Any

from pipeline.dataflow.metadata import REQUIRED, format_value, list_flags
from pipeline.dataflow.target import Target

Request = dict[str, Any]
"""``LaunchFlexTemplateRequest`` of the Dataflow API, as JSON."""


def list_parameters(mode: str, arguments: argparse.Namespace, run_id: str) -> dict[str, str]:
    """The template's parameters of parsed flags: those that differ from their defaults, as texts."""
    parameters = {"mode": mode}
    for action in list_flags(mode):
        value = getattr(arguments, action.dest)
        if value is not None and (value != action.default or action.dest in REQUIRED):
            parameters[action.dest] = format_value(value)
    return {**parameters, "run_id": run_id}


def build_request(
    target: Target, name: str, parameters: Mapping[str, str], labels: Mapping[str, str]
) -> Request:
    """The launch of a job of this name."""
    environment = {
        "tempLocation": target.temp_location,
        "machineType": target.machine_type,
        "maxWorkers": target.max_workers,
        "serviceAccountEmail": target.service_account,
        "network": target.network,
        "subnetwork": target.subnetwork,
        # workers in a subnetwork of one's own reach Google's services without public addresses
        "ipConfiguration": "WORKER_IP_PRIVATE" if target.subnetwork else None,
        "sdkContainerImage": target.image,
        "additionalUserLabels": {**dict(target.labels), **labels},
    }
    return {
        "projectId": target.service.project,
        "location": target.service.region,
        "launchParameter": {
            "jobName": name,
            "containerSpecGcsPath": target.template,
            "parameters": dict(parameters),
            "environment": {key: value for key, value in environment.items() if value is not None},
        },
    }
