-- Rows as read to rows that count: trimmed, typed, judged, one a player and date.
-- Statistics become DOUBLE, in which sums of whole numbers of this size are exact.

CREATE OR REPLACE TEMP MACRO clean_text(t) AS nullif(trim(t, E' \t\n\r\f' || chr(11)), '');

-- The letters tell the kind of game; there are few distinct texts.
CREATE OR REPLACE TEMP TABLE season_types AS
SELECT
    season_type,
    regexp_matches(letters, 'preseason|allstar') AS exhibition,
    CASE
        WHEN regexp_matches(letters, 'playoff|playin|postseason') THEN 1.0
        WHEN regexp_matches(letters, 'regular|cup|tournament') THEN 0.0
    END AS playoff
FROM (
    SELECT season_type, regexp_replace(lower(season_type), '[^\p{L}]+', '', 'g') AS letters
    FROM nba_analytics.player_game_summary
    WHERE game_date >= getvariable('window_start') AND game_date < getvariable('targets_end')
    GROUP BY season_type
);

CREATE OR REPLACE TEMP VIEW typed AS
SELECT
    s.rowid AS row_id,
    clean_text(player_lookup) AS player_lookup,
    clean_text(game_id) AS game_id,
    game_date,
    clean_text(team_abbr) AS team_abbr,
    clean_text(opponent_team_abbr) AS opponent_team_abbr,
    clean_text(universal_player_id) AS universal_player_id,
    clean_text(player_full_name) AS player_full_name,
    clean_text(season_type) AS season_type,
    clean_text(dnp_reason) AS dnp_reason,
    season_year, is_home, is_dnp, processed_at,
    CASE WHEN isfinite(minutes_played)
        THEN round_even(least(greatest(minutes_played * 60, -1e15), 1e15), 0) END AS seconds,
    points, fg_attempts, fg_makes, three_pt_attempts, three_pt_makes, ft_attempts, ft_makes,
    offensive_rebounds, turnovers, paint_attempts, paint_makes, mid_range_attempts, mid_range_makes,
    points IS NOT NULL AND is_dnp IS NOT TRUE AND (coalesce(seconds, 0) > 0 OR points > 0) AS on_court,
    kind.playoff AS playoff_type
FROM nba_analytics.player_game_summary s
LEFT JOIN season_types kind USING (season_type)
WHERE game_date >= getvariable('window_start') AND game_date < getvariable('targets_end')
    AND kind.exhibition IS NOT TRUE
    AND regexp_full_match(clean_text(game_id), '00[13][0-9]{7}') IS NOT TRUE;

-- Keys with several rows, and the rows that lose there.
CREATE OR REPLACE TEMP TABLE contested AS
SELECT player_lookup, game_date FROM typed WHERE player_lookup IS NOT NULL
GROUP BY ALL HAVING count(*) > 1;

CREATE OR REPLACE TEMP TABLE losers AS
SELECT row_id FROM (
    SELECT row_id, row_number() OVER (
        PARTITION BY player_lookup, game_date
        ORDER BY on_court DESC, processed_at DESC NULLS LAST, game_id DESC NULLS LAST,
            team_abbr DESC NULLS LAST, opponent_team_abbr DESC NULLS LAST, points DESC NULLS LAST,
            seconds DESC NULLS LAST, fg_attempts DESC NULLS LAST, fg_makes DESC NULLS LAST,
            three_pt_attempts DESC NULLS LAST, three_pt_makes DESC NULLS LAST,
            ft_attempts DESC NULLS LAST, ft_makes DESC NULLS LAST,
            universal_player_id DESC NULLS LAST, player_full_name DESC NULLS LAST,
            season_year DESC NULLS LAST, season_type DESC NULLS LAST, is_home DESC NULLS LAST,
            is_dnp DESC NULLS LAST, dnp_reason DESC NULLS LAST, offensive_rebounds DESC NULLS LAST,
            turnovers DESC NULLS LAST, paint_attempts DESC NULLS LAST, paint_makes DESC NULLS LAST,
            mid_range_attempts DESC NULLS LAST, mid_range_makes DESC NULLS LAST, row_id
    ) AS place
    FROM typed SEMI JOIN contested USING (player_lookup, game_date)
) WHERE place > 1;

-- The first rule that a row breaks, NULL for a valid one.
CREATE OR REPLACE TEMP MACRO broken_rule(
    player_lookup, game_id, team_abbr, opponent_team_abbr, seconds, points,
    fg_attempts, fg_makes, three_pt_attempts, three_pt_makes, ft_attempts, ft_makes,
    offensive_rebounds, turnovers, paint_attempts, paint_makes, mid_range_attempts, mid_range_makes
) AS CASE
    WHEN player_lookup IS NULL THEN 'player_lookup is missing'
    WHEN game_id IS NULL THEN 'game_id is missing'
    WHEN team_abbr IS NULL THEN 'team_abbr is missing'
    WHEN team_abbr = opponent_team_abbr THEN 'team_abbr equals opponent_team_abbr'
    WHEN seconds > 6000 THEN 'minutes_played above 100'
    WHEN seconds < 0 THEN 'seconds is negative'
    WHEN points < 0 THEN 'points is negative'
    WHEN fg_attempts < 0 THEN 'fg_attempts is negative'
    WHEN fg_makes < 0 THEN 'fg_makes is negative'
    WHEN three_pt_attempts < 0 THEN 'three_pt_attempts is negative'
    WHEN three_pt_makes < 0 THEN 'three_pt_makes is negative'
    WHEN ft_attempts < 0 THEN 'ft_attempts is negative'
    WHEN ft_makes < 0 THEN 'ft_makes is negative'
    WHEN offensive_rebounds < 0 THEN 'offensive_rebounds is negative'
    WHEN turnovers < 0 THEN 'turnovers is negative'
    WHEN paint_attempts < 0 THEN 'paint_attempts is negative'
    WHEN paint_makes < 0 THEN 'paint_makes is negative'
    WHEN mid_range_attempts < 0 THEN 'mid_range_attempts is negative'
    WHEN mid_range_makes < 0 THEN 'mid_range_makes is negative'
    WHEN points > 1000000 THEN 'points above 1000000'
    WHEN fg_attempts > 1000000 THEN 'fg_attempts above 1000000'
    WHEN fg_makes > 1000000 THEN 'fg_makes above 1000000'
    WHEN three_pt_attempts > 1000000 THEN 'three_pt_attempts above 1000000'
    WHEN three_pt_makes > 1000000 THEN 'three_pt_makes above 1000000'
    WHEN ft_attempts > 1000000 THEN 'ft_attempts above 1000000'
    WHEN ft_makes > 1000000 THEN 'ft_makes above 1000000'
    WHEN offensive_rebounds > 1000000 THEN 'offensive_rebounds above 1000000'
    WHEN turnovers > 1000000 THEN 'turnovers above 1000000'
    WHEN paint_attempts > 1000000 THEN 'paint_attempts above 1000000'
    WHEN paint_makes > 1000000 THEN 'paint_makes above 1000000'
    WHEN mid_range_attempts > 1000000 THEN 'mid_range_attempts above 1000000'
    WHEN mid_range_makes > 1000000 THEN 'mid_range_makes above 1000000'
    WHEN fg_makes > fg_attempts THEN 'fg_makes above fg_attempts'
    WHEN three_pt_makes > three_pt_attempts THEN 'three_pt_makes above three_pt_attempts'
    WHEN ft_makes > ft_attempts THEN 'ft_makes above ft_attempts'
    WHEN paint_makes > paint_attempts THEN 'paint_makes above paint_attempts'
    WHEN mid_range_makes > mid_range_attempts THEN 'mid_range_makes above mid_range_attempts'
END;

CREATE OR REPLACE TEMP TABLE clean AS
SELECT
    t.row_id AS id,
    p.player, t.player_lookup, t.game_id, t.game_date, t.team_abbr, t.opponent_team_abbr,
    t.universal_player_id, t.is_home,
    coalesce(t.season_year, year(t.game_date) - CASE
        WHEN month(t.game_date) >= 10
            AND t.game_date NOT BETWEEN DATE '2020-10-01' AND DATE '2020-10-11' THEN 0
        ELSE 1 END) AS season_year,
    coalesce(t.playoff_type, CASE
        WHEN regexp_full_match(t.game_id, '00[45][0-9]{7}') THEN 1.0
        WHEN regexp_full_match(t.game_id, '00[26][0-9]{7}') THEN 0.0 END) AS playoff,
    broken_rule(
        t.player_lookup, t.game_id, t.team_abbr, t.opponent_team_abbr, t.seconds, t.points,
        t.fg_attempts, t.fg_makes, t.three_pt_attempts, t.three_pt_makes, t.ft_attempts, t.ft_makes,
        t.offensive_rebounds, t.turnovers, t.paint_attempts, t.paint_makes,
        t.mid_range_attempts, t.mid_range_makes) AS broken,
    broken IS NULL AS valid,
    valid AND t.on_court AS played,
    t.seconds::DOUBLE AS seconds,
    t.points::DOUBLE AS points,
    t.fg_attempts::DOUBLE AS fg_attempts,
    t.fg_makes::DOUBLE AS fg_makes,
    t.three_pt_attempts::DOUBLE AS three_pt_attempts,
    t.three_pt_makes::DOUBLE AS three_pt_makes,
    t.ft_attempts::DOUBLE AS ft_attempts,
    t.ft_makes::DOUBLE AS ft_makes,
    t.offensive_rebounds::DOUBLE AS offensive_rebounds,
    t.turnovers::DOUBLE AS turnovers,
    t.paint_attempts::DOUBLE AS paint_attempts,
    t.paint_makes::DOUBLE AS paint_makes,
    t.mid_range_attempts::DOUBLE AS mid_range_attempts,
    t.mid_range_makes::DOUBLE AS mid_range_makes
FROM typed t
LEFT JOIN (
    SELECT player_lookup, row_number() OVER ()::INTEGER AS player
    FROM (SELECT DISTINCT player_lookup FROM typed WHERE player_lookup IS NOT NULL)
) p USING (player_lookup)
WHERE t.row_id NOT IN (SELECT row_id FROM losers);
