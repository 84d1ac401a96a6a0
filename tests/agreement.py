"""What the kernels said of every key, held against what the oracle said."""

from __future__ import annotations

from leagues import Computed
from oracle import OracleResult

CONTEXT_IN_COMPLETENESS = ("games_found", "contributing_game_dates")


def find_differences(computed: Computed, expected: OracleResult) -> list[str]:
    """Every difference in keys, values (bit for bit), sources and context, in words."""
    found = [f"row {key}" for key in computed.features.keys() ^ expected.features.keys()]
    reasons = {key: gap.reason for key, gap in expected.gaps.items()}
    given = {key: gap["skip_reason"] for key, gap in computed.gaps.items()}
    found += [f"gap {key}: {given.get(key)} for {reasons.get(key)}" for key in given.keys() | reasons.keys()
              if given.get(key) != reasons.get(key)]  # fmt: skip
    for key in computed.features.keys() & expected.features.keys():
        row, wanted = computed.features[key], expected.features[key]
        for index, (value, source) in enumerate(zip(wanted.values, wanted.sources, strict=True)):
            got = (row[f"feature_{index}_value"], row[f"feature_{index}_source"])
            if repr(got) != repr((None if value is None else float(value), source)):
                found.append(f"{key} feature {index}: {got} for {(value, source)}")
        completeness = row["historical_completeness"]
        for name, value in wanted.context.items():
            got = completeness[name] if name in CONTEXT_IN_COMPLETENESS else row[name]
            if got != value:
                found.append(f"{key} {name}: {got!r} for {value!r}")
    return found
