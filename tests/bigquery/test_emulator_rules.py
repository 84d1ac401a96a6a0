"""Where the emulator was brought nearer to the real service: conflicts by table, and what a load refuses."""

from __future__ import annotations

import concurrent.futures
import datetime
import io
import time

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from google.api_core.exceptions import BadRequest, GoogleAPICallError
from google.cloud import bigquery

SLOW = (
    "SELECT COUNT(*) FROM UNNEST(GENERATE_ARRAY(1, 3000)) a, UNNEST(GENERATE_ARRAY(1, 40000)) b "
    "WHERE MOD(a * b, 7) = 3"
)
DAY = datetime.date(2024, 1, 1)
SCHEMA = [
    bigquery.SchemaField("player", "STRING", "REQUIRED"),
    bigquery.SchemaField("day", "DATE"),
    bigquery.SchemaField("points", "INT64"),
    bigquery.SchemaField("share", "FLOAT64"),
    bigquery.SchemaField("teams", "STRING", "REPEATED"),
    bigquery.SchemaField("basis", "RECORD", fields=[bigquery.SchemaField("days", "DATE", "REPEATED")]),
    bigquery.SchemaField("note", "JSON"),
]
COLUMNS = {
    "player": pa.array(["a"]),
    "day": pa.array([DAY]),
    "points": pa.array([1]),
    "share": pa.array([0.5]),
    "teams": pa.array([["x"]]),
    "basis": pa.array([{"days": [DAY]}]),
}


@pytest.fixture
def games(client):
    """A client whose dataset `games` has an empty table `loaded` and a table `rows` of two rows."""
    client.create_dataset("games")
    client.create_table(bigquery.Table(f"{client.project}.games.loaded", schema=SCHEMA))
    client.query("CREATE TABLE games.rows AS SELECT k, 0 AS v FROM UNNEST([1, 2]) k").result()
    return client


def load(client: bigquery.Client, columns: dict, inference: bool = True, **options) -> bigquery.LoadJob:
    file = io.BytesIO()
    pq.write_table(pa.table(columns), file)
    file.seek(0)
    parquet = bigquery.ParquetOptions()
    parquet.enable_list_inference = inference
    config = bigquery.LoadJobConfig(source_format="PARQUET", parquet_options=parquet, **options)
    return client.load_table_from_file(file, "games.loaded", job_config=config).result()


def outcomes(client: bigquery.Client, *scripts: str) -> list[str]:
    """The errors of scripts that run at the same time, empty where there is none."""

    def run(script: str) -> str:
        try:
            client.query(script, job_retry=None).result()
        except GoogleAPICallError as error:
            return error.errors[0]["message"]
        return ""

    with concurrent.futures.ThreadPoolExecutor(len(scripts)) as pool:
        return list(pool.map(run, scripts))


def transaction(statement: str) -> str:
    return f"BEGIN TRANSACTION; {statement}; {SLOW}; COMMIT TRANSACTION"


def test_of_two_transactions_that_change_one_table_one_is_aborted(games):
    scripts = [transaction(f"UPDATE games.rows SET v = v + 1 WHERE k = {k}") for k in (1, 2)]
    errors = sorted(outcomes(games, *scripts))
    table = f"{games.project}:games.rows"
    assert errors[0] == ""
    assert errors[1].startswith(f"Transaction is aborted due to concurrent update against table {table}")
    assert [row[0] for row in games.query("SELECT SUM(v) FROM games.rows").result()] == [1]


def test_a_transaction_that_began_before_a_change_is_aborted(games):
    games.query("CREATE TABLE games.begun (n INT64)").result()
    late = (
        f"INSERT INTO games.begun (n) VALUES (1); BEGIN TRANSACTION; {SLOW}; {SLOW}; {SLOW}; {SLOW}; "
        "DELETE FROM games.rows WHERE k = 2; COMMIT TRANSACTION"
    )
    job = games.query(late, job_retry=None)
    while not list(games.query("SELECT n FROM games.begun").result()):
        time.sleep(0.01)
    assert outcomes(games, "UPDATE games.rows SET v = 5 WHERE k = 1") == [""]
    with pytest.raises(GoogleAPICallError, match="concurrent update"):
        job.result()


def test_inserts_conflict_with_nothing(games):
    scripts = [transaction(f"INSERT INTO games.rows (k, v) VALUES (3, {n})") for n in (1, 2)]
    assert outcomes(games, *scripts) == ["", ""]


def test_a_transaction_leaves_its_table_free(games):
    rolled_back = "BEGIN TRANSACTION; DELETE FROM games.rows WHERE TRUE; ROLLBACK TRANSACTION"
    failed = "BEGIN TRANSACTION; DELETE FROM games.rows WHERE TRUE; SELECT ERROR('told')"
    done = transaction("UPDATE games.rows SET v = 1 WHERE TRUE")
    assert [outcomes(games, script)[0] for script in (rolled_back, failed, done)] == ["", "told", ""]


def test_columns_of_the_tables_types_are_taken(games):
    assert load(games, COLUMNS).output_rows == 1
    assert load(games, {"player": ["b"]}).output_rows == 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"points": pa.array([1.7])}, "points has changed type from INTEGER to double"),
        ({"points": pa.array(["7"])}, "points has changed type from INTEGER to string"),
        ({"share": pa.array([1])}, "share has changed type from FLOAT to int64"),
        ({"day": pa.array(["2024-01-01"])}, "day has changed type from DATE to string"),
        ({"teams": pa.array(["x"])}, "teams has changed mode"),
        ({"basis": pa.array([{"days": ["x"]}])}, "days has changed type from DATE to string"),
        ({"note": pa.array(["{}"])}, "Unsupported field type: JSON"),
        ({"player": pa.array([None], pa.string())}, "Only optional fields can be set to NULL"),
    ],
    ids=lambda value: "".join(value) if isinstance(value, dict) else "",
)
def test_other_columns_are_refused(games, change, message):
    with pytest.raises(BadRequest, match=message):
        load(games, COLUMNS | change)


def test_lists_need_list_inference(games):
    with pytest.raises(BadRequest, match="teams has changed type from STRING to RECORD"):
        load(games, COLUMNS, inference=False)


def test_a_required_field_stays_so_in_a_table_written_anew(games):
    load(games, COLUMNS, schema=SCHEMA[:-1], write_disposition="WRITE_TRUNCATE")
    assert games.get_table("games.loaded").schema[0].mode == "REQUIRED"
