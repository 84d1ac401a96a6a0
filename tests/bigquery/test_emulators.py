"""The emulators themselves: what the tests of BigQuery take for granted."""

from __future__ import annotations

import datetime
import io
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from emulators import environment
from google.api_core.exceptions import BadRequest, InvalidArgument
from google.cloud import bigquery
from google.cloud.bigquery_storage_v1 import types

TESTS = Path(__file__).resolve().parents[1]
FILTERED = """
CREATE TABLE games.rows (player STRING NOT NULL, game_date DATE NOT NULL, points INT64)
PARTITION BY DATE_TRUNC(game_date, MONTH) CLUSTER BY player OPTIONS(require_partition_filter=TRUE)
"""
MERGE = """
MERGE games.rows t USING (SELECT 'a' AS player, DATE '2024-01-05' AS game_date, 9 AS points) s
ON t.player = s.player AND t.game_date = s.game_date AND t.game_date {range}
WHEN MATCHED THEN UPDATE SET points = s.points
WHEN NOT MATCHED THEN INSERT (player, game_date, points) VALUES (s.player, s.game_date, s.points)
"""
RANGE = "BETWEEN DATE '2024-01-01' AND DATE '2024-01-31'"


@pytest.fixture
def games(client, project):
    """A client whose dataset `games` has the table `rows`, three rows in it."""
    client.create_dataset("games")
    run(client, FILTERED)
    run(client, "INSERT INTO games.rows SELECT 'a', DATE_ADD(DATE '2024-01-05', INTERVAL n MONTH), n "
                "FROM UNNEST([0, 1, 2]) n")  # fmt: skip
    return client


def run(client: bigquery.Client, sql: str) -> list[tuple]:
    return [tuple(row.values()) for row in client.query(sql, job_retry=None).result()]


def count(client: bigquery.Client) -> int:
    return run(client, "SELECT COUNT(*) FROM games.rows WHERE game_date >= '2000-01-01'")[0][0]


def parquet(table: pa.Table) -> io.BytesIO:
    file = io.BytesIO()
    pq.write_table(table, file)
    file.seek(0)
    return file


def three_rows() -> pa.Table:
    days = [datetime.date(2024, 5, day) for day in (1, 2, 3)]
    return pa.table({"player": ["x", "y", "z"], "game_date": days, "points": [1, None, 3]})


def test_a_table_is_described_as_it_was_made(games):
    table = games.get_table("games.rows")
    partitioning = table.time_partitioning
    assert (partitioning.type_, partitioning.field) == ("MONTH", "game_date")
    assert table.clustering_fields == ["player"]
    assert table.require_partition_filter
    assert [field.mode for field in table.schema] == ["REQUIRED", "REQUIRED", "NULLABLE"]


def test_projects_are_apart(games, emulators):
    other = emulators.client(emulators.fresh_project())
    assert list(other.list_datasets()) == []
    other.close()


@pytest.mark.parametrize("whole", [True, False], ids=["multipart", "resumable"])
def test_a_load_job_takes_an_upload(games, whole):
    file = parquet(three_rows())
    size = file.getbuffer().nbytes if whole else None
    config = bigquery.LoadJobConfig(source_format="PARQUET", write_disposition="WRITE_APPEND")
    games.load_table_from_file(file, "games.rows", size=size, job_config=config).result()
    assert count(games) == 6


def test_a_load_job_reads_objects(games, bucket):
    for number in (1, 2):
        name = f"runs/one/part-{number}.parquet"
        bucket.blob(name).upload_from_string(parquet(three_rows()).getvalue())
    config = bigquery.LoadJobConfig(source_format="PARQUET")
    uri = f"gs://{bucket.name}/runs/one/part-*.parquet"
    games.load_table_from_uri(uri, "games.rows", job_config=config).result()
    assert count(games) == 9


def test_a_merge_stands_in_a_transaction(games):
    script = f"BEGIN TRANSACTION; {MERGE.format(range=RANGE)}; COMMIT TRANSACTION; SELECT @@row_count"
    assert run(games, script) == [(1,)]
    assert run(games, "SELECT points FROM games.rows WHERE game_date = '2024-01-05'") == [(9,)]


def test_an_error_rolls_the_transaction_back(games):
    script = f"BEGIN TRANSACTION; {MERGE.format(range=RANGE)}; SELECT ERROR('told'); COMMIT TRANSACTION"
    with pytest.raises(BadRequest, match="told"):
        run(games, script)
    assert run(games, "SELECT points FROM games.rows WHERE game_date = '2024-01-05'") == [(0,)]


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM games.rows",
        "SELECT * FROM games.rows WHERE game_date = DATE_TRUNC(game_date, MONTH)",
        "SELECT * FROM games.rows WHERE game_date > '2024-01-01' OR points > 1",
        "DELETE FROM games.rows WHERE player = 'a'",
        "DELETE FROM games.rows t WHERE EXISTS (SELECT 1 FROM games.rows s WHERE s.game_date > '2024-01-01')",
        "UPDATE games.rows SET points = 1 WHERE player = 'a'",
        MERGE.format(range="= t.game_date"),
    ],
)
def test_a_statement_without_a_usable_filter_is_refused(games, statement):
    with pytest.raises(BadRequest, match="without a filter over column"):
        run(games, statement)


@pytest.mark.parametrize(
    "statement",
    [
        f"SELECT * FROM (SELECT * FROM games.rows) WHERE game_date {RANGE}",
        f"WITH r AS (SELECT * FROM games.rows WHERE game_date {RANGE}) SELECT COUNT(*) FROM r",
        f"DELETE FROM games.rows t WHERE t.game_date {RANGE} AND t.player = 'a'",
        "DECLARE d DATE DEFAULT '2024-01-01'; UPDATE games.rows SET points = 1 WHERE game_date > d",
        "SELECT * FROM games.rows WHERE game_date IN UNNEST([DATE '2024-01-01'])",
        MERGE.format(range=RANGE),
    ],
)
def test_a_statement_with_a_usable_filter_runs(games, statement):
    run(games, statement)


def test_permanent_tables_are_not_made_in_a_transaction(games):
    with pytest.raises(BadRequest, match="inside a transaction"):
        run(games, "BEGIN TRANSACTION; CREATE TABLE games.more (x INT64); COMMIT TRANSACTION")
    run(games, "BEGIN TRANSACTION; CREATE TEMP TABLE more AS SELECT 1 AS x; COMMIT TRANSACTION")


def session_request(project: str, restriction: str) -> dict:
    options = types.ReadSession.TableReadOptions(selected_fields=["points"], row_restriction=restriction)
    session = types.ReadSession(
        table=f"projects/{project}/datasets/games/tables/rows",
        data_format=types.DataFormat.ARROW,
        read_options=options,
    )
    return {"parent": f"projects/{project}", "read_session": session, "max_stream_count": 4}


def test_a_read_session_has_several_streams_and_sees_one_state(games, project, read_client):
    run(
        games,
        "INSERT INTO games.rows SELECT 'b', DATE '2024-06-01', n FROM UNNEST(GENERATE_ARRAY(1, 2000)) n",
    )
    session = read_client.create_read_session(**session_request(project, "game_date >= '2024-06-01'"))
    run(games, "DELETE FROM games.rows WHERE game_date = '2024-06-01' AND points > 10")
    messages = [message for stream in session.streams for message in read_client.read_rows(stream.name)]
    assert len(session.streams) == 4
    assert sum(message.row_count for message in messages) == 2000


def test_a_read_session_needs_the_filter(games, project, read_client):
    with pytest.raises(InvalidArgument, match="without a filter over column"):
        read_client.create_read_session(**session_request(project, "points > 0"))


def test_a_snapshot_time_is_accepted(games, project, read_client):
    now = datetime.datetime.now(datetime.UTC)
    request = session_request(project, "game_date >= '2024-01-01'")
    request["read_session"].table_modifiers = types.ReadSession.TableModifiers(snapshot_time=now)
    assert read_client.create_read_session(**request).estimated_row_count == 3
    query = "SELECT COUNT(*) FROM games.rows AS r FOR SYSTEM_TIME AS OF @at WHERE r.game_date >= '2024-01-01'"
    at = bigquery.ScalarQueryParameter("at", "TIMESTAMP", now)
    config = bigquery.QueryJobConfig(query_parameters=[at])
    assert [tuple(row.values()) for row in games.query(query, job_config=config).result()] == [(3,)]


def test_committed_rows_outlive_a_kill(games, emulators):
    emulators.kill()
    emulators.restart()
    assert count(games) == 3


def test_servers_end_with_their_parent():
    script = (
        "import os, signal; from emulators.launch import Emulators; e = Emulators(); e.start(); "
        "print(e.bigquery.pid, e.storage.pid, e.scratch, flush=True); os.kill(os.getpid(), signal.SIGKILL)"
    )
    answer = subprocess.run(
        [sys.executable, "-c", script], cwd=TESTS, capture_output=True, text=True, timeout=120
    )
    assert answer.returncode == -signal.SIGKILL
    *pids, scratch = answer.stdout.split()
    deadline = time.monotonic() + 10
    while (any(map(is_running, pids)) or os.path.exists(scratch)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(map(is_running, pids))
    assert not os.path.exists(scratch)


def is_running(pid: str) -> bool:
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return False


class TestWithoutInterpreter:
    """A run of pytest in which no Python 3.13 is found, or none was prepared."""

    TEST = "def test_it(emulators):\n    pass\n"

    @pytest.fixture
    def pytest_run(self, tmp_path):
        def run_pytest(**variables: str) -> subprocess.CompletedProcess[str]:
            (tmp_path / "test_it.py").write_text(self.TEST)
            (tmp_path / "conftest.py").write_text(
                "import os, pathlib\n"
                "from emulators import environment\n"
                "environment.is_built = lambda: False\n"
                "if os.environ['FOUND'] == 'no':\n"
                "    environment.find_interpreter = lambda: None\n"
                "pytest_plugins = ['emulators.plugin']\n"
            )
            command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-ra", str(tmp_path)]
            kept = {name: value for name, value in os.environ.items() if name != "EMULATORS_REQUIRED"}
            kept = {name: value for name, value in kept.items() if not name.startswith("PYTEST_")}
            return subprocess.run(
                command,
                cwd=tmp_path,
                env=kept | {"PYTHONPATH": str(TESTS)} | variables,
                capture_output=True,
                text=True,
                timeout=120,
            )

        return run_pytest

    def test_the_skip_is_loud(self, pytest_run):
        answer = pytest_run(FOUND="no", EMULATORS_REQUIRED="1")
        assert answer.returncode == 0
        assert f"NOT VERIFIED: BigQuery: {environment.NO_INTERPRETER} (1 tests skipped)" in answer.stdout

    @pytest.mark.skipif(environment.find_interpreter() is None, reason="no Python 3.13")
    def test_a_skip_that_could_run_fails_where_required(self, pytest_run):
        assert pytest_run(FOUND="yes").returncode == 0
        answer = pytest_run(FOUND="yes", EMULATORS_REQUIRED="1")
        assert answer.returncode == 1
        assert "NOT VERIFIED: BigQuery, though required" in answer.stdout
