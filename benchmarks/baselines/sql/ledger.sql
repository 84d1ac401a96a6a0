-- The ledger of gaps by key, the identities recounted from the tables, and the run itself.

SET VARIABLE resolved = (
    SELECT count(*) FROM nba_predictions.feature_store_gaps
    SEMI JOIN staged_features USING (player_lookup, game_date)
    WHERE resolved_at IS NULL AND withdrawn_at IS NULL
        AND game_date >= getvariable('targets_start') AND game_date < getvariable('targets_end'));
SET VARIABLE opened = (
    SELECT count(*) FROM staged_gaps ANTI JOIN (
        SELECT player_lookup, game_date FROM nba_predictions.feature_store_gaps
        WHERE resolved_at IS NULL AND withdrawn_at IS NULL
            AND game_date >= getvariable('targets_start') AND game_date < getvariable('targets_end')
    ) USING (player_lookup, game_date));

UPDATE nba_predictions.feature_store_gaps g
SET resolved_at = getvariable('run_at'), resolved_run_id = getvariable('run_id')
FROM staged_features c
WHERE c.player_lookup = g.player_lookup AND c.game_date = g.game_date
    AND g.resolved_at IS NULL AND g.withdrawn_at IS NULL
    AND g.game_date >= getvariable('targets_start') AND g.game_date < getvariable('targets_end');

UPDATE nba_predictions.feature_store_gaps g
SET withdrawn_at = getvariable('run_at'),
    skip_detail = 'no target any more: no player row counts for this player and date'
WHERE g.resolved_at IS NULL AND g.withdrawn_at IS NULL
    AND g.game_date >= getvariable('targets_start') AND g.game_date < getvariable('targets_end')
    AND NOT EXISTS (
        SELECT 1 FROM staged_targets t
        WHERE t.player_lookup = g.player_lookup AND t.game_date = g.game_date);

UPDATE nba_predictions.feature_store_gaps g
SET skip_reason = s.skip_reason, skip_detail = s.skip_detail, game_id = s.game_id,
    team_abbr = s.team_abbr, opponent_team_abbr = s.opponent_team_abbr, season_year = s.season_year,
    attempt_count = g.attempt_count + 1, last_attempt_at = getvariable('run_at'),
    reopened_at = CASE WHEN g.resolved_at IS NULL AND g.withdrawn_at IS NULL
        THEN g.reopened_at ELSE getvariable('run_at') END,
    resolved_at = NULL, resolved_run_id = NULL, withdrawn_at = NULL
FROM staged_gaps s
WHERE s.player_lookup = g.player_lookup AND s.game_date = g.game_date
    AND g.game_date >= getvariable('targets_start') AND g.game_date < getvariable('targets_end');

INSERT INTO nba_predictions.feature_store_gaps BY NAME
SELECT s.*, getvariable('run_at') AS detected_at, getvariable('run_id') AS detected_run_id,
    1 AS attempt_count, getvariable('run_at') AS last_attempt_at
FROM staged_gaps s ANTI JOIN (
    SELECT player_lookup, game_date FROM nba_predictions.feature_store_gaps
    WHERE game_date >= getvariable('targets_start') AND game_date < getvariable('targets_end')
) USING (player_lookup, game_date);

SELECT error('a target is not one stored row or one open gap: ' || player_lookup || ' on ' || game_date)
FROM (
    SELECT player_lookup, game_date, 1 AS t, 0 AS r FROM staged_targets
    UNION ALL SELECT player_lookup, game_date, 0, 1 FROM nba_predictions.ml_feature_store_v2
    WHERE game_date >= getvariable('targets_start') AND game_date < getvariable('targets_end')
    UNION ALL SELECT player_lookup, game_date, 0, 1 FROM nba_predictions.feature_store_gaps
    WHERE resolved_at IS NULL AND withdrawn_at IS NULL
        AND game_date >= getvariable('targets_start') AND game_date < getvariable('targets_end')
) GROUP BY player_lookup, game_date HAVING sum(t) <> 1 OR sum(r) <> 1;

INSERT INTO nba_reference.processor_run_history BY NAME
SELECT
    'MLFeatureStoreProcessor' AS processor_name, getvariable('run_id') AS run_id, 'backfill' AS mode,
    'success' AS status, (getvariable('targets_end') - 1)::DATE AS data_date,
    getvariable('targets_start') AS start_date, (getvariable('targets_end') - 1)::DATE AS end_date,
    epoch(get_current_timestamp() - getvariable('run_at')) AS duration_seconds,
    (SELECT count(*) FROM staged_targets) AS records_expected,
    getvariable('created') AS records_created, getvariable('updated') AS records_updated,
    (SELECT count(*) FROM staged_features) - records_created - records_updated
        AS records_unchanged,
    getvariable('deleted') AS records_deleted,
    getvariable('opened') AS gaps_opened, getvariable('resolved') AS gaps_resolved,
    (SELECT count(*) FROM staged_gaps) AS gaps_open,
    getvariable('seconds') AS timing_breakdown, '{}' AS options,
    getvariable('feature_version') AS feature_version, 'DuckDB' AS runner,
    getvariable('run_at') AS started_at, getvariable('run_at') AS processed_at;
