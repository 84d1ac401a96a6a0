"""The flex template's files, held against the job's flags, Google's own protos and a linter of images."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from dataflow.distributions import ROOT
from google.cloud import dataflow_v1beta3
from google.protobuf import json_format

from pipeline.commands.app import build_parser
from pipeline.dataflow.metadata import build_metadata, list_flags
from pipeline.options import COMMANDS, MODES, check_beam_args, normalize_flags, take_mode

TEMPLATES = ROOT / "templates"
METADATA: dict[str, Any] = json.loads((TEMPLATES / "metadata.json").read_text())
PARAMETERS = {parameter["name"]: parameter for parameter in METADATA["parameters"]}
DOCKERFILE = (TEMPLATES / "Dockerfile").read_text()
SAMPLES = {
    "mode": "gaps",
    "warehouse": "bigquery://some-project?temp=gs://bucket/temp",
    "start_date": "2024-01-01",
    "end_date": "2024-01-31",
    "date": "2024-01-31",
    "reason": "bootstrap",
    "player": "lebronjames",
    "max_bytes": "1000000000000",
    "run_id": "20240301T113000-0a1b2c3d",
}
"""A value of every parameter that has no default."""

LOCAL_ONLY = {"parallel"}

LAUNCHER_FLAGS = [
    "--job_name=feature-store-daily",
    '--labels={"goog-dataflow-provided-template-type": "flex"}',
    "--machine_type=n2-standard-4",
    "--max_num_workers=4",
    "--network=default",
    "--project=some-project",
    "--region=us-central1",
    "--runner=DataflowRunner",
    "--sdk_container_image=us-docker.pkg.dev/p/r/n:1",
    "--service_account_email=worker@some-project.iam.gserviceaccount.com",
    "--staging_location=gs://bucket/staging",
    "--subnetwork=regions/us-central1/subnetworks/default",
    "--temp_location=gs://bucket/temp",
    "--template_location=gs://bucket/staging/template_launches/1/job_object",
]
"""What the template's launcher adds to the parameters."""


def sample(name: str) -> str:
    found = SAMPLES.get(name) or PARAMETERS[name]["defaultValue"]
    assert isinstance(found, str)
    return found


def test_the_metadata_is_what_the_flags_say() -> None:
    assert build_metadata() == METADATA, "run `make docs`"


def test_google_reads_the_metadata_strictly() -> None:
    message = dataflow_v1beta3.TemplateMetadata.pb()()
    json_format.ParseDict(METADATA, message, ignore_unknown_fields=False)
    assert [parameter.name for parameter in message.parameters] == list(PARAMETERS)
    with pytest.raises(json_format.ParseError, match="_comment"):
        json_format.ParseDict({**METADATA, "_comment": ""}, dataflow_v1beta3.TemplateMetadata.pb()())


def test_every_flag_of_every_mode_is_a_parameter_and_nothing_else() -> None:
    flags = {action.dest for mode in MODES for action in list_flags(mode)}
    assert PARAMETERS.keys() == flags | {"mode"}


def test_the_parameters_are_the_flags_of_the_commands() -> None:
    (commands,) = build_parser()._subparsers._group_actions
    for mode, command in COMMANDS.items():
        offered = {action.dest for action in commands.choices[command]._actions}
        asked = {action.dest for action in list_flags(mode)}
        assert asked == offered - {"help", "json", "debug", "dry_run", "price_per_tib", *LOCAL_ONLY}


@pytest.mark.parametrize("name", PARAMETERS)
def test_regexes_compile_and_take_defaults_and_samples_whole(name: str) -> None:
    parameter = PARAMETERS[name]
    assert parameter["helpText"]
    assert len(parameter["label"]) < 40
    if parameter["paramType"] == "ENUM":
        assert sample(name) in [option["value"] for option in parameter["enumOptions"]]
        return
    (pattern,) = parameter["regexes"]
    assert pattern[0] + pattern[-1] == "^$"
    assert re.fullmatch(pattern, sample(name))
    assert not re.fullmatch(pattern, "")
    assert not re.search(pattern, f"{sample(name)} --allow_deletes=true") or pattern in ("^.+$",)


@pytest.mark.parametrize("mode", MODES)
def test_what_a_launch_passes_is_understood(mode: str) -> None:
    """Every parameter of a mode, as ``--name=value``, beside the flags that the launcher adds."""
    names = [action.dest for action in list_flags(mode)]
    argv = sorted([f"--mode={mode}", *(f"--{name}={sample(name)}" for name in names), *LAUNCHER_FLAGS])
    parser = build_parser()
    known, rest = parser.parse_known_args(normalize_flags(take_mode(argv), "-"))
    assert known.command == COMMANDS[mode]
    assert sorted(check_beam_args(rest)) == LAUNCHER_FLAGS
    for name in names:
        default = next(action.default for action in list_flags(mode) if action.dest == name)
        if "defaultValue" in PARAMETERS[name]:
            assert getattr(known, name) == default
        else:
            assert str(getattr(known, name)) == sample(name)


def test_no_parameter_is_a_switch_without_a_value() -> None:
    for mode in MODES:
        for action in list_flags(mode):
            assert action.nargs in (None, "?"), f"--{action.dest} cannot be passed as --name=value"


def test_the_entry_runs_the_package_from_anywhere(tmp_path: Path) -> None:
    command = [sys.executable, TEMPLATES / "main.py", "--mode=daily", "--help"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.startswith("usage: feature-store daily")


def test_the_dockerfile_passes_the_linter() -> None:
    hadolint = Path(sys.executable).with_name("hadolint")
    done = subprocess.run([hadolint, TEMPLATES / "Dockerfile"], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (0, "")


def test_images_are_pinned_and_beam_is_the_one_of_the_package() -> None:
    images = re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE)
    tags = [image.rpartition(":")[2] for image in images]
    assert len(tags) == 3
    assert not set(tags) & {"latest", *images}
    required = re.search(r'"apache-beam\[gcp\]==([0-9.]+)"', (ROOT / "setup.py").read_text())
    assert required is not None
    assert f"FROM apache/beam_python3.11_sdk:{required[1]} AS sdk\n" in DOCKERFILE
    assert f"apache-beam=={required[1]} " in (ROOT / "requirements" / "run.lock").read_text()


def test_every_installation_in_the_image_is_hashed_or_offline_and_checked() -> None:
    text = re.sub(r"\\\n", "", DOCKERFILE)
    commands = [
        part.strip() for line in re.findall(r"^RUN (.*)$", text, re.MULTILINE) for part in line.split("&&")
    ]
    installs = [command for command in commands if command.startswith("pip install")]
    assert len(installs) == 3
    for install in installs:
        assert "--require-hashes" in install or "--no-index" in install, install
        assert "--no-deps" in install, install
    assert commands[-1] == "pip check"
    assert len(commands) == len(installs) + 1


def test_the_launcher_is_told_one_file_and_to_install_nothing() -> None:
    assert re.findall(r"FLEX_TEMPLATE_\w+=\S*", DOCKERFILE) == [
        "FLEX_TEMPLATE_PYTHON_PY_FILE=/template/main.py"
    ]
    assert "WORKDIR /template\nCOPY templates/main.py ./\n" in DOCKERFILE
    assert DOCKERFILE.endswith('ENTRYPOINT ["/opt/apache/beam/boot"]\n')


def test_what_the_image_is_built_from_is_sent_to_the_build() -> None:
    copied = [
        source
        for line in re.findall(r"^COPY (?!--from)(.*)$", DOCKERFILE, re.MULTILINE)
        for source in line.split()[:-1]
    ]
    sent = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert set(copied) == sent - {"templates", "requirements"}
    for source in copied:
        assert (ROOT / source).exists()


def test_the_build_names_one_image_and_pinned_builders() -> None:
    build = yaml.safe_load((TEMPLATES / "cloudbuild.yaml").read_text())
    assert build["images"] == ["${_IMAGE}"]
    assert build["options"]["substitutionOption"] == "MUST_MATCH"
    for step in build["steps"]:
        assert re.fullmatch(r"gcr\.io/cloud-builders/docker:[0-9.]+", step["name"])
        assert "${_IMAGE}" in step["args"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["image", "IMAGE=host/name:latest"], "with a tag of its own"),
        (["image"], "with a tag of its own"),
        (["template", "IMAGE=host/name:1", "TEMPLATE=/tmp/x.json"], "expected TEMPLATE=gs://"),
    ],
)
def test_make_refuses_what_is_not_pinned(arguments: list[str], said: str, fake_gcloud: Path) -> None:
    done = make(*arguments, path=fake_gcloud)
    assert done.returncode == 2
    assert said in done.stdout


def test_make_template_builds_image_and_template(fake_gcloud: Path) -> None:
    done = make("template", "IMAGE=host/name:1", "TEMPLATE=gs://bucket/t.json", path=fake_gcloud)
    assert done.returncode == 0, done.stderr
    build, template = (json.loads(line) for line in (fake_gcloud / "calls").read_text().splitlines())
    assert build == [
        "gcloud",
        *("builds", "submit", "--config", "templates/cloudbuild.yaml"),
        *("--substitutions", "_IMAGE=host/name:1", "."),
    ]
    assert template[1:5] == ["dataflow", "flex-template", "build", "gs://bucket/t.json"]
    metadata = template[template.index("--metadata-file") + 1]
    assert json.loads((ROOT / metadata).read_text()) == METADATA


def make(*arguments: str, path: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["make", "--silent", *arguments],
        cwd=ROOT,
        env={"PATH": f"{path}:/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=60,
    )
