"""The whole job on one screen: wiring only."""

from __future__ import annotations

import apache_beam as beam

import transforms.arrow  # noqa: F401  registers the coder of record batches
from pipeline.commit import CommitRun
from pipeline.plan import Plan
from pipeline.run_rows import RunSpec
from pipeline.versions import CheckVersions
from pipeline.warehouse.base import Warehouse
from transforms.contracts import FEATURES, GAPS, PASSED, TARGETS
from transforms.stages import BuildTeamContext, ComputeFeatures, ReadHistory, ReadReferences
from transforms.staging import StageBatches


def build_graph(pipeline: beam.Pipeline, plan: Plan, warehouse: Warehouse, run: RunSpec) -> None:
    """Chunks of dates -> player rows by bucket -> features and gaps -> staged -> committed."""
    reader = warehouse.open_reader(plan.columns, run.inputs.snapshot)
    stager = warehouse.open_staging(run.run_id)

    references = (
        pipeline
        | "ScheduleDates" >> beam.Create([plan.schedule.as_chunk()])
        | "CheckScheduleWorker" >> CheckVersions()
        | "ReadReferences" >> ReadReferences(reader, stager)
    )
    read = (
        pipeline
        | "Chunks" >> beam.Create(plan.chunks)
        | "CheckWorker" >> CheckVersions()
        | "ReadHistory"
        >> ReadHistory(reader, stager, plan.targets, plan.buckets, references.tables, plan.requested)
    )
    teams = read.teams | "TeamContext" >> BuildTeamContext(stager)
    computed = (
        read.rows
        | "ShardByPlayer" >> beam.GroupByKey()
        | "ComputeFeatures" >> ComputeFeatures(stager, plan.targets, teams.context)
    )
    staged = [
        computed.features | "StageFeatures" >> StageBatches(FEATURES, stager),
        computed.gaps | "StageGaps" >> StageBatches(GAPS, stager),
        read.targets | "StageTargets" >> StageBatches(TARGETS, stager),
        read.passed | "StagePassed" >> StageBatches(PASSED, stager),
    ]
    files = [part.files for part in staged] | "StagedFiles" >> beam.Flatten()
    timings = (
        references.timings,
        read.timings,
        teams.timings,
        computed.timings,
        *(part.timings for part in staged),
    ) | "Timings" >> beam.Flatten()
    files | "Commit" >> CommitRun(warehouse, run, timings)
