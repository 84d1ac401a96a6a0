-- Team games, and what a team's recent games say about every (team, date, season) that targets name.

-- A total is unknown when a row that played lacks it, or when the team game has an invalid row.
CREATE OR REPLACE TEMP MACRO total(x) AS
    CASE WHEN bool_and(valid) AND bool_or(played AND x IS NULL) IS NOT TRUE
        THEN sum(x) FILTER (valid) END;
CREATE OR REPLACE TEMP MACRO zone_sum(x, makes, attempts) AS
    coalesce(sum(x) FILTER (played AND makes IS NOT NULL AND attempts IS NOT NULL), 0);

CREATE OR REPLACE TEMP TABLE sides AS
SELECT
    *,
    100 * fg_attempts + 44 * ft_attempts + 100 * turnovers AS used,
    used - 100 * offensive_rebounds AS poss100,
    CASE WHEN poss100 > 0 AND seconds > 0 THEN 144 * poss100 / seconds END AS pace,
    CASE WHEN poss100 > 0 AND has_players THEN 10000 * points / poss100 END AS offensive_rating,
    count(*) OVER (PARTITION BY game_id, game_date) = 2 AS paired
FROM (
    SELECT
        game_id, game_date, team_abbr,
        bool_or(played) AS has_players,
        max(season_year) FILTER (valid) AS season_year,
        total(points) AS points,
        total(seconds) AS seconds,
        total(fg_attempts) AS fg_attempts,
        total(ft_attempts) AS ft_attempts,
        total(offensive_rebounds) AS offensive_rebounds,
        total(turnovers) AS turnovers,
        zone_sum(paint_makes, paint_makes, paint_attempts) AS paint_makes,
        zone_sum(paint_attempts, paint_makes, paint_attempts) AS paint_attempts,
        zone_sum(mid_range_makes, mid_range_makes, mid_range_attempts) AS mid_range_makes,
        zone_sum(mid_range_attempts, mid_range_makes, mid_range_attempts) AS mid_range_attempts,
        zone_sum(three_pt_makes, three_pt_makes, three_pt_attempts) AS three_pt_makes,
        zone_sum(three_pt_attempts, three_pt_makes, three_pt_attempts) AS three_pt_attempts
    FROM clean
    WHERE game_id IS NOT NULL AND team_abbr IS NOT NULL
    GROUP BY game_id, game_date, team_abbr
);

CREATE OR REPLACE TEMP TABLE team_games AS
SELECT
    s.team_abbr, s.game_date, s.season_year, s.pace, s.offensive_rating,
    row_number() OVER (PARTITION BY s.team_abbr ORDER BY s.game_date, s.game_id)::INTEGER AS place,
    o.offensive_rating AS defensive_rating,
    CASE WHEN o.has_players AND s.points <> o.points THEN (s.points > o.points)::INTEGER END AS win,
    o.paint_makes AS allowed_paint_makes, o.paint_attempts AS allowed_paint_attempts,
    o.mid_range_makes AS allowed_mid_range_makes, o.mid_range_attempts AS allowed_mid_range_attempts,
    o.three_pt_makes AS allowed_three_pt_makes, o.three_pt_attempts AS allowed_three_pt_attempts,
    s.paired,
    s.paint_makes, s.paint_attempts, s.mid_range_makes, s.mid_range_attempts,
    s.three_pt_makes, s.three_pt_attempts
FROM sides s
LEFT JOIN sides o ON s.paired AND o.paired AND o.game_id = s.game_id AND o.game_date = s.game_date
    AND o.team_abbr <> s.team_abbr
WHERE s.has_players;

CREATE OR REPLACE TEMP TABLE wanted AS
SELECT DISTINCT team_abbr, game_date, season_year
FROM (
    SELECT unnest([team_abbr, opponent_team_abbr]) AS team_abbr, game_date, season_year
    FROM clean WHERE game_date >= getvariable('targets_start') AND valid
)
WHERE team_abbr IS NOT NULL;

-- The last 10 and the last 15 games, as (wanted, age) pairs: 1 is the latest.
CREATE OR REPLACE TEMP TABLE recent_team_games AS
WITH latest AS (
    SELECT w.*, g.place FROM wanted w ASOF JOIN (
        SELECT team_abbr, game_date, max(place) AS place FROM team_games GROUP BY ALL
    ) g ON g.team_abbr = w.team_abbr AND g.game_date < w.game_date
)
SELECT
    w.team_abbr, w.game_date, w.season_year,
    w.game_date - max(g.game_date) AS rest_days,
    avg(pace) FILTER (age <= 10) AS pace_10,
    avg(offensive_rating) FILTER (age <= 10) AS offensive_rating_10,
    avg(pace) AS pace_15,
    avg(defensive_rating) AS defensive_rating_15,
    100 * sum(allowed_paint_makes) / nullif(sum(allowed_paint_attempts), 0) AS allowed_paint,
    100 * sum(allowed_mid_range_makes) / nullif(sum(allowed_mid_range_attempts), 0) AS allowed_mid_range,
    100 * sum(allowed_three_pt_makes) / nullif(sum(allowed_three_pt_attempts), 0) AS allowed_three_pt
FROM (SELECT *, unnest(range(1, 16)) AS age FROM latest) w
JOIN team_games g ON g.team_abbr = w.team_abbr AND g.place = w.place + 1 - age
    AND g.game_date >= w.game_date - 365
GROUP BY w.team_abbr, w.game_date, w.season_year;

-- Wins of a season so far: two looks at running counts, before the date and before its window.
CREATE OR REPLACE TEMP TABLE season_wins AS
WITH running AS (
    SELECT team_abbr, season_year, game_date,
        sum(wins) OVER so_far AS wins, sum(results) OVER so_far AS results
    FROM (
        SELECT team_abbr, season_year, game_date, sum(win) AS wins, count(win) AS results
        FROM team_games GROUP BY ALL
    )
    WINDOW so_far AS (PARTITION BY team_abbr, season_year ORDER BY game_date)
)
SELECT w.team_abbr, w.game_date, w.season_year,
    (coalesce(n.wins, 0) - coalesce(o.wins, 0))::DOUBLE
        / nullif(n.results - coalesce(o.results, 0), 0) AS win_pct
FROM wanted w
ASOF LEFT JOIN running n ON n.team_abbr = w.team_abbr AND n.season_year = w.season_year
    AND n.game_date < w.game_date
ASOF LEFT JOIN running o ON o.team_abbr = w.team_abbr AND o.season_year = w.season_year
    AND o.game_date < w.game_date - 365;

-- What the whole league allowed in the 365 days before a date.
CREATE OR REPLACE TEMP TABLE league_days AS
SELECT
    game_date,
    100 * sum(paint_makes) OVER year_before / nullif(sum(paint_attempts) OVER year_before, 0) AS paint,
    100 * sum(mid_range_makes) OVER year_before
        / nullif(sum(mid_range_attempts) OVER year_before, 0) AS mid_range,
    100 * sum(three_pt_makes) OVER year_before
        / nullif(sum(three_pt_attempts) OVER year_before, 0) AS three_pt
FROM (
    SELECT
        game_date,
        sum(paint_makes) AS paint_makes, sum(paint_attempts) AS paint_attempts,
        sum(mid_range_makes) AS mid_range_makes, sum(mid_range_attempts) AS mid_range_attempts,
        sum(three_pt_makes) AS three_pt_makes, sum(three_pt_attempts) AS three_pt_attempts
    FROM (
        SELECT * FROM team_games WHERE paired
        UNION ALL BY NAME
        SELECT DISTINCT game_date FROM wanted
    )
    GROUP BY game_date
)
WINDOW year_before AS (
    ORDER BY game_date RANGE BETWEEN INTERVAL 365 DAYS PRECEDING AND INTERVAL 1 DAY PRECEDING);

CREATE OR REPLACE TEMP TABLE season_days AS
SELECT DISTINCT season_year, game_date FROM clean WHERE game_id IS NOT NULL AND team_abbr IS NOT NULL;

CREATE OR REPLACE TEMP TABLE team_context AS
SELECT
    w.team_abbr, w.game_date, w.season_year,
    r.team_abbr IS NOT NULL AS has_games,
    coalesce(least(f.game_date, w.game_date), w.game_date) AS season_first,
    r.rest_days,
    CASE WHEN has_games THEN (r.rest_days = 1)::INTEGER END AS played_yesterday,
    r.pace_10, r.offensive_rating_10, r.pace_15, r.defensive_rating_15, v.win_pct,
    r.allowed_paint - l.paint AS defence_paint,
    r.allowed_mid_range - l.mid_range AS defence_mid_range,
    r.allowed_three_pt - l.three_pt AS defence_three_pt
FROM wanted w
LEFT JOIN recent_team_games r USING (team_abbr, game_date, season_year)
LEFT JOIN season_wins v USING (team_abbr, game_date, season_year)
LEFT JOIN league_days l USING (game_date)
ASOF LEFT JOIN season_days f ON f.season_year = w.season_year AND f.game_date >= w.game_date - 365;
