"""The deployment's shell files, run with programs that write down what they would have done."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from dataflow.distributions import ROOT
from google.cloud import dataflow_v1beta3, monitoring_v3
from google.protobuf import json_format

from pipeline.flags import warehouse_address

DEPLOY = ROOT / "templates" / "deploy"
SCRIPTS = sorted(DEPLOY.glob("*.sh"))
VARIABLES = {
    "PROJECT": "some-project",
    "REGION": "us-central1",
    "BUCKET": "some-bucket",
    "REPOSITORY": "images",
    "TEMPLATE": "gs://some-bucket/templates/feature-store.json",
    "IMAGE": "us-central1-docker.pkg.dev/some-project/images/feature-store:1",
    "CHANNEL": "projects/some-project/notificationChannels/1",
}
PARAMETERS = {
    parameter["name"]: parameter
    for parameter in json.loads((ROOT / "templates" / "metadata.json").read_text())["parameters"]
}
WORKER = "feature-store-worker@some-project.iam.gserviceaccount.com"
LAUNCHER = "feature-store-launcher@some-project.iam.gserviceaccount.com"


def run_script(
    name: str, cloud: Path, **variables: str
) -> tuple[subprocess.CompletedProcess[str], list[list[str]]]:
    """What became of a script, and the calls that it made."""
    environment = {"PATH": f"{cloud}:/usr/bin:/bin", **VARIABLES, **variables}
    done = subprocess.run(
        ["bash", DEPLOY / name], env=environment, capture_output=True, text=True, timeout=60
    )
    log = cloud / "calls"
    calls = [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []
    return done, calls


def read_body(call: list[str]) -> dict[str, Any]:
    (content,) = (word.removeprefix("content=") for word in call if word.startswith("content="))
    body = json.loads(content)
    assert isinstance(body, dict)
    return body


def value_of(call: list[str], flag: str) -> str:
    return call[call.index(flag) + 1]


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.name)
def test_the_shell_reads_it_and_its_linter_finds_nothing(script: Path) -> None:
    subprocess.run(["bash", "-n", script], check=True, timeout=60)
    shellcheck = Path(sys.executable).with_name("shellcheck")
    done = subprocess.run([shellcheck, script], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize("exists", [False, True])
@pytest.mark.parametrize("subnetwork", ["", "regions/us-central1/subnetworks/private"])
def test_the_schedule_launches_what_the_service_and_the_job_understand(
    fake_gcloud: Path, exists: bool, subnetwork: str
) -> None:
    if exists:
        (fake_gcloud / "exists").touch()
    done, calls = run_script("schedule.sh", fake_gcloud, SUBNETWORK=subnetwork)
    assert done.returncode == 0, done.stderr
    jobs = [call for call in calls if call[3:5] == ["update" if exists else "create", "http"]]
    assert [call[5] for call in jobs] == ["feature-store-daily", "feature-store-fill-gaps"]
    for job, mode in zip(jobs, ("daily", "gaps"), strict=True):
        request = dataflow_v1beta3.LaunchFlexTemplateRequest.pb()()
        json_format.ParseDict(read_body(job), request, ignore_unknown_fields=False)
        launch = request.launch_parameter
        assert launch.job_name == job[5]
        assert launch.container_spec_gcs_path == VARIABLES["TEMPLATE"]
        assert launch.environment.sdk_container_image == VARIABLES["IMAGE"]
        assert launch.environment.service_account_email == WORKER
        assert launch.environment.subnetwork == subnetwork
        private = dataflow_v1beta3.WorkerIPAddressConfiguration.WORKER_IP_PRIVATE
        assert (launch.environment.ip_configuration == private) == bool(subnetwork)
        assert launch.parameters["mode"] == mode
        assert warehouse_address(launch.parameters["warehouse"])
        for name, value in launch.parameters.items():
            parameter = PARAMETERS[name]
            assert all(re.fullmatch(pattern, value) for pattern in parameter.get("regexes", []))
        assert value_of(job, "--time-zone") == "America/New_York"
        assert re.fullmatch(r"[0-9]+ [0-9]+ \* \* \*", value_of(job, "--schedule"))
        assert value_of(job, "--uri") == (
            "https://dataflow.googleapis.com/v1b3/projects/some-project/locations/us-central1/flexTemplates:launch"
        )
        assert value_of(job, "--oauth-service-account-email") == LAUNCHER


@pytest.mark.parametrize(
    "variables",
    [
        {"IMAGE": "name:latest"},
        {"WAREHOUSE": 'bigquery://p","mode":"gaps'},
        {"TEMPLATE": ""},
        {"REGION": "a b"},
    ],
)
def test_the_schedule_refuses_what_cannot_stand_in_a_request(
    fake_gcloud: Path, variables: dict[str, str]
) -> None:
    done, calls = run_script("schedule.sh", fake_gcloud, **variables)
    assert done.returncode != 0
    assert calls == []


def test_accounts_get_what_they_need_and_nothing_wide(fake_gcloud: Path) -> None:
    done, calls = run_script("accounts.sh", fake_gcloud)
    assert done.returncode == 0, done.stderr
    bound: dict[str, set[str]] = {WORKER: set(), LAUNCHER: set()}
    for call in calls:
        if "--role" in call:
            bound[value_of(call, "--member").removeprefix("serviceAccount:")].add(value_of(call, "--role"))
    assert bound == {
        WORKER: {
            "roles/dataflow.worker",
            "roles/bigquery.jobUser",
            "roles/bigquery.readSessionUser",
            "roles/storage.objectUser",
            "roles/artifactregistry.reader",
        },
        LAUNCHER: {
            "projects/some-project/roles/featureStoreLauncher",
            "roles/storage.objectViewer",
            "roles/iam.serviceAccountUser",
        },
    }
    grants = [
        re.fullmatch(r"GRANT `(.*)` ON SCHEMA `some-project`\.(\w+) TO .*", call[-1])
        for call in calls
        if call[0] == "bq"
    ]
    granted = {found[2]: found[1].removeprefix("roles/bigquery.") for found in grants if found}
    assert granted == {
        **dict.fromkeys(("nba_analytics", "nba_raw"), "dataViewer"),
        **dict.fromkeys(
            ("nba_predictions", "nba_processing", "nba_reference", "feature_store_staging"), "dataEditor"
        ),
    }
    (role,) = (call for call in calls if call[1:4] == ["iam", "roles", "create"])
    assert all(name.startswith("dataflow.") for name in value_of(role, "--permissions").split(","))


def test_operations_names_every_role_that_is_given() -> None:
    told = (ROOT / "docs" / "operations.md").read_text()
    given = set(
        re.findall(r"roles/[a-zA-Z.]+|dataflow\.[a-z]+\.[a-z]+", (DEPLOY / "accounts.sh").read_text())
    )
    assert len(given) > 10
    assert {name for name in given if name not in told} == set()


@pytest.mark.parametrize("policy", sorted((DEPLOY / "alarms").glob("*.json")), ids=lambda path: path.stem)
def test_google_reads_every_alarm_and_operations_says_what_to_do(policy: Path) -> None:
    message = monitoring_v3.AlertPolicy.pb()()
    json_format.ParseDict(json.loads(policy.read_text()), message, ignore_unknown_fields=False)
    (condition,) = message.conditions
    assert condition.display_name
    title = re.search(r'"([^"]+)"', message.documentation.content)
    assert title is not None
    assert title[1].casefold() in (ROOT / "docs" / "operations.md").read_text().casefold()


def test_alarms_are_made_with_their_channel(fake_gcloud: Path) -> None:
    done, calls = run_script("alarms.sh", fake_gcloud)
    assert done.returncode == 0, done.stderr
    made = [read_body(call) for call in calls if "create" in call]
    assert len(made) == len(list((DEPLOY / "alarms").glob("*.json")))
    asked = [value_of(call, "--filter") for call in calls if "list" in call]
    assert asked == [f"displayName='{policy['displayName']}'" for policy in made]
