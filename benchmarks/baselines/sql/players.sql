-- Every player's games, and what the last ten before a date say. Frames of ROWS over games cost a
-- fifth of frames of RANGE over dates, so the few targets whose window ends before its tenth game
-- get a sequence of games of their own, and all others share their player's.

CREATE OR REPLACE TEMP TABLE games AS
SELECT
    c.player, c.game_date, c.season_year, c.points, c.seconds,
    row_number() OVER (PARTITION BY c.player ORDER BY c.game_date)::INTEGER AS place,
    CASE WHEN c.seconds > 0
        THEN 20 * (100 * c.fg_attempts + 44 * c.ft_attempts + 100 * c.turnovers) * s.seconds
            / nullif(c.seconds * s.used, 0) END AS usage,
    c.seconds > 0 AS timed,
    c.paint_attempts IS NOT NULL AND c.mid_range_attempts IS NOT NULL
        AND c.three_pt_attempts IS NOT NULL AS charted,
    charted AND c.fg_attempts IS NOT NULL AS charted_shots,
    c.paint_attempts, c.mid_range_attempts, c.three_pt_attempts, c.fg_attempts, c.ft_makes
FROM clean c
JOIN sides s USING (game_id, game_date, team_abbr)
WHERE c.played;

-- Every valid row of a player: how many games came before, and who sat out among the last ten rows.
CREATE OR REPLACE TEMP TABLE listed AS
SELECT
    id, player, game_date, season_year,
    (count(*) FILTER (played) OVER before)::INTEGER AS place,
    count(*) OVER last_rows AS rows_10,
    count(*) FILTER (NOT played) OVER last_rows AS absent_10,
    min(game_date) OVER last_rows < game_date - 365 AS rows_too_old
FROM clean
WHERE valid
WINDOW
    before AS (PARTITION BY player ORDER BY game_date ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING),
    last_rows AS (PARTITION BY player ORDER BY game_date ROWS BETWEEN 10 PRECEDING AND 1 PRECEDING);
DELETE FROM listed WHERE game_date < getvariable('targets_start');

CREATE OR REPLACE TEMP TABLE short_rows AS
SELECT l.id, count(*) AS rows_10, count(*) FILTER (NOT played) AS absent_10
FROM listed l JOIN clean c ON c.player = l.player AND c.valid
    AND c.game_date < l.game_date AND c.game_date >= l.game_date - 365
WHERE l.rows_too_old
GROUP BY l.id;

CREATE OR REPLACE TEMP TABLE short_targets AS
SELECT l.id, l.player, l.game_date
FROM listed l
JOIN (
    SELECT player, place, min(game_date) OVER (
        PARTITION BY player ORDER BY game_date ROWS 9 PRECEDING) AS oldest
    FROM games
) g USING (player, place)
WHERE g.oldest < l.game_date - 365;

CREATE OR REPLACE TEMP TABLE short_games AS
SELECT s.id, g.* REPLACE (
    row_number() OVER (PARTITION BY s.id ORDER BY g.game_date)::INTEGER AS place)
FROM short_targets s JOIN games g
    ON g.player = s.player AND g.game_date < s.game_date AND g.game_date >= s.game_date - 365;

CREATE OR REPLACE TEMP TABLE recent AS
WITH sequences AS (
    SELECT player AS sequence, * FROM games
    UNION ALL BY NAME
    SELECT -id AS sequence, * EXCLUDE (id) FROM short_games
),
paired AS (
    SELECT *, CASE WHEN game_date - lag(game_date) OVER (PARTITION BY sequence ORDER BY game_date) = 1
        THEN game_date END AS second_night
    FROM sequences
)
SELECT
    sequence, place,
    game_date AS day_1,
    lag(game_date, 1) OVER each_game AS day_2,
    lag(game_date, 2) OVER each_game AS day_3,
    lag(game_date, 3) OVER each_game AS day_4,
    lag(game_date, 4) OVER each_game AS day_5,
    lag(game_date, 5) OVER each_game AS day_6,
    lag(game_date, 6) OVER each_game AS day_7,
    lag(game_date, 7) OVER each_game AS day_8,
    lag(game_date, 8) OVER each_game AS day_9,
    lag(game_date, 9) OVER each_game AS day_10,
    seconds AS seconds_1,
    lag(seconds, 1) OVER each_game AS seconds_2,
    lag(seconds, 2) OVER each_game AS seconds_3,
    lag(seconds, 3) OVER each_game AS seconds_4,
    lag(seconds, 4) OVER each_game AS seconds_5,
    lag(seconds, 5) OVER each_game AS seconds_6,
    lag(seconds, 6) OVER each_game AS seconds_7,
    [second_night, lag(second_night, 1) OVER each_game, lag(second_night, 2) OVER each_game,
        lag(second_night, 3) OVER each_game, lag(second_night, 4) OVER each_game,
        lag(second_night, 5) OVER each_game, lag(second_night, 6) OVER each_game,
        lag(second_night, 7) OVER each_game, lag(second_night, 8) OVER each_game,
        lag(second_night, 9) OVER each_game, lag(second_night, 10) OVER each_game,
        lag(second_night, 11) OVER each_game, lag(second_night, 12) OVER each_game] AS second_nights,
    count(*) OVER last_5 AS games_5,
    sum(points) OVER last_2 AS points_2,
    sum(points) OVER last_5 AS points_5,
    count(*) OVER last_10 AS games_10,
    sum(points) OVER last_10 AS points_10,
    sum(points * points) OVER last_10 AS squares_10,
    sum(place * points) OVER last_10 AS placed_10,
    count(seconds) OVER last_10 AS known_10,
    sum(seconds) OVER last_10 AS seconds_10,
    sum(CASE WHEN timed THEN points END) OVER last_10 AS timed_points_10,
    sum(CASE WHEN timed THEN seconds END) OVER last_10 AS timed_seconds_10,
    avg(usage) OVER last_3 AS usage_3,
    avg(usage) OVER last_10 AS usage_10,
    sum(CASE WHEN charted THEN paint_attempts END) OVER last_10 AS paint_10,
    sum(CASE WHEN charted THEN mid_range_attempts END) OVER last_10 AS mid_range_10,
    sum(CASE WHEN charted THEN three_pt_attempts END) OVER last_10 AS three_pt_10,
    sum(CASE WHEN charted_shots THEN paint_attempts END) OVER last_10 AS paint_shots_10,
    sum(CASE WHEN charted_shots THEN mid_range_attempts END) OVER last_10 AS mid_range_shots_10,
    sum(CASE WHEN charted_shots THEN fg_attempts END) OVER last_10 AS charted_shots_10,
    sum(CASE WHEN fg_attempts IS NOT NULL THEN three_pt_attempts END) OVER last_10 AS three_pt_shots_10,
    sum(CASE WHEN three_pt_attempts IS NOT NULL THEN fg_attempts END) OVER last_10 AS shots_10,
    count(ft_makes) OVER last_10 AS free_known_10,
    sum(ft_makes) OVER last_10 AS free_makes_10,
    sum(CASE WHEN ft_makes IS NOT NULL THEN points END) OVER last_10 AS free_points_10
FROM paired
WINDOW
    each_game AS (PARTITION BY sequence ORDER BY game_date),
    last_2 AS (PARTITION BY sequence ORDER BY game_date ROWS 1 PRECEDING),
    last_3 AS (PARTITION BY sequence ORDER BY game_date ROWS 2 PRECEDING),
    last_5 AS (PARTITION BY sequence ORDER BY game_date ROWS 4 PRECEDING),
    last_10 AS (PARTITION BY sequence ORDER BY game_date ROWS 9 PRECEDING);

-- The season so far: two looks at running sums, before the date and before its window.
CREATE OR REPLACE TEMP TABLE season_sums AS
WITH running AS (
    SELECT player, season_year, game_date,
        count(*) OVER so_far AS games, sum(points) OVER so_far AS points,
        count(seconds) OVER so_far AS known, sum(seconds) OVER so_far AS seconds
    FROM games
    WINDOW so_far AS (
        PARTITION BY player, season_year ORDER BY game_date ROWS UNBOUNDED PRECEDING)
)
SELECT
    l.id,
    n.games - coalesce(o.games, 0) AS games,
    n.points - coalesce(o.points, 0) AS points,
    n.known - coalesce(o.known, 0) AS known,
    coalesce(n.seconds, 0) - coalesce(o.seconds, 0) AS seconds
FROM listed l
ASOF JOIN running n ON n.player = l.player AND n.season_year = l.season_year
    AND n.game_date < l.game_date
ASOF LEFT JOIN running o ON o.player = l.player AND o.season_year = l.season_year
    AND o.game_date < l.game_date - 365;

CREATE OR REPLACE TEMP TABLE meetings AS
SELECT id,
    count(*) FILTER (played) OVER year_before AS games,
    sum(points) FILTER (played) OVER year_before AS points
FROM clean
WHERE valid AND opponent_team_abbr IS NOT NULL
WINDOW year_before AS (PARTITION BY player, opponent_team_abbr ORDER BY game_date
    RANGE BETWEEN INTERVAL 365 DAYS PRECEDING AND INTERVAL 1 DAY PRECEDING);
