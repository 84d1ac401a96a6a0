"""The statements that people ask of the tables, as they stand."""

from __future__ import annotations

_TEXT = """
SELECT game_date FROM nba_predictions.ml_feature_store_v2
WHERE game_date BETWEEN '2021-11-01' AND '2021-11-30' GROUP BY game_date ORDER BY game_date
;
SELECT 'MLFS' as processor, COUNT(DISTINCT game_date) as dates
FROM nba_predictions.ml_feature_store_v2 WHERE game_date BETWEEN '2021-11-01' AND '2021-11-30'
;
SELECT failure_category, COUNT(*) as count FROM nba_processing.precompute_failures
WHERE processor_name = 'MLFeatureStoreProcessor' AND analysis_date BETWEEN '2021-11-01' AND '2021-11-30'
GROUP BY failure_category
;
SELECT processor_name, data_date, duration_seconds,
JSON_VALUE(timing_breakdown, '$.extract_time') as extract_s,
JSON_VALUE(timing_breakdown, '$.save_time') as save_s FROM nba_reference.processor_run_history
WHERE data_date >= CURRENT_DATE() - 1 AND timing_breakdown IS NOT NULL
ORDER BY data_date DESC, duration_seconds DESC LIMIT 20
;
SELECT COUNT(*) as still_missing FROM nba_predictions.ml_feature_store_v2 WHERE feature_1_source IS NULL
"""

STATEMENTS = [statement.strip() for statement in _TEXT.split(";")]
