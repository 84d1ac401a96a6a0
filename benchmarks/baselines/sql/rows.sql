-- Whole rows from the values. The words in braces are made from the registry of features.

CREATE OR REPLACE TEMP VIEW staged_features AS
SELECT
    player_lookup, universal_player_id, game_id, game_date, season_year, team_abbr,
    opponent_team_abbr, is_home, days_rest,
    getvariable('feature_version') AS feature_version,
    {feature_count} AS feature_count,
    {values},
    {sources},
    {lacking} AS missing_required_count,
    round(100 * ({required} - missing_required_count) / {required}, 2) AS feature_quality_score,
    CASE WHEN feature_quality_score >= 95 THEN 'gold' WHEN feature_quality_score >= 85 THEN 'silver'
        WHEN feature_quality_score >= 70 THEN 'bronze' WHEN feature_quality_score >= 50 THEN 'poor'
        ELSE 'critical' END AS quality_tier,
    missing_required_count = 0 AS is_quality_ready,
    game_date < season_start + 14 AS early_season_flag,
    struct_pack(
        games_found := found, games_expected := 10,
        is_complete := found = 10, is_bootstrap := found < 10,
        contributing_game_dates := game_dates) AS historical_completeness,
    lpad(to_hex(hash(feature_version, {values})), 16, '0')
        || lpad(to_hex(hash({values}, feature_version)), 16, '0') AS data_hash
FROM computed
WHERE skip_reason IS NULL;
