"""The script that asks a real project what no emulator shows, run where exactly that cannot be seen."""

from __future__ import annotations

import pytest
from emulators.launch import Emulators
from hamcrest import assert_that, contains_inanyorder, equal_to
from verify.bigquery_project import CHECKS, verify

from pipeline.warehouse.bigquery_address import parse_address

UNSEEN = (
    "both bounds prune what a query reads",
    "the commit's MERGE reads the run's partitions",
    "a plan tells its bytes and its price",
    "maximum_bytes_billed is enforced",
    "reads see one snapshot",
)
"""Bytes are always 0 here, and an earlier state is not kept."""


@pytest.mark.slow
def test_the_script_holds_but_for_what_the_emulator_cannot_show(
    emulators: Emulators, project: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", emulators.gcs)
    wrong = verify(
        parse_address(f"bigquery://{project}?api={emulators.rest}&storage_api={emulators.storage_api}")
    )
    lines = capsys.readouterr().out.splitlines()
    found = {line[7:]: line[:6].strip() for line in lines if line[:6].strip() in ("ok", "WRONG")}
    assert_that(set(found), equal_to({name for name, _ in CHECKS}))
    assert_that([name for name, outcome in found.items() if outcome == "WRONG"], contains_inanyorder(*UNSEEN))
    assert_that(wrong, equal_to(len(UNSEEN)))
    with emulators.client(project) as client:
        assert_that(list(client.list_datasets()), equal_to([]))
