-- The 37 values of every valid target, what decides whether it is skipped, and the gaps.

CREATE OR REPLACE TEMP MACRO clamp(x, bound) AS
    CASE WHEN x IS NOT NULL THEN least(greatest(x, -bound), bound) + 0.0 END;

CREATE OR REPLACE TEMP MACRO in_week(target_date, day, x) AS
    CASE WHEN day >= target_date - 7 AND x IS NOT NULL THEN x ELSE 0 END;

-- Each valid target with its latest game: that of its player, or of its own sequence.
CREATE OR REPLACE TEMP VIEW last_games AS
SELECT
    l.id, l.game_date, r.*,
    CASE WHEN l.rows_too_old THEN coalesce(f.rows_10, 0) ELSE l.rows_10 END AS rows_10,
    CASE WHEN l.rows_too_old THEN f.absent_10 ELSE l.absent_10 END AS absent_10
FROM listed l
LEFT JOIN short_rows f USING (id)
LEFT JOIN (
    SELECT s.id, max(g.place) AS place FROM short_targets s LEFT JOIN short_games g USING (id) GROUP BY s.id
) s ON s.id = l.id
LEFT JOIN recent r ON r.sequence = CASE WHEN s.id IS NULL THEN l.player ELSE -s.id END
    AND r.place = CASE WHEN s.id IS NULL THEN l.place ELSE s.place END;

CREATE OR REPLACE TEMP TABLE computed AS
SELECT * EXCLUDE (
    week_games, week_seconds, week_known, close_pairs, zones_10, zone, zone_10, mismatch, above, base,
    trend, places)
FROM (
    SELECT
        c.player_lookup, c.universal_player_id, c.game_id, c.game_date, c.season_year,
        c.team_abbr, c.opponent_team_abbr, c.is_home,
        coalesce(w.games_10, 0) AS found,
        c.game_date - w.day_1 AS days_rest,
        coalesce(own.season_first, c.game_date) AS season_start,
        CASE
            WHEN c.game_date < season_start + getvariable('bootstrap_days')::INTEGER
                AND found < getvariable('min_games') AND k.player_lookup IS NULL THEN 'bootstrap'
            WHEN found = 0 THEN 'no_history'
            WHEN own.has_games IS NOT TRUE AND opp.has_games IS NOT TRUE THEN 'missing_dependency'
        END AS skip_reason,
        list_filter([day_10, day_9, day_8, day_7, day_6, day_5, day_4, day_3, day_2, day_1],
            lambda day: day IS NOT NULL) AS game_dates,

        -- the last week, and pairs of nights in the last two
        in_week(w.game_date, day_1, 1)
            + in_week(w.game_date, day_2, 1)
            + in_week(w.game_date, day_3, 1)
            + in_week(w.game_date, day_4, 1)
            + in_week(w.game_date, day_5, 1)
            + in_week(w.game_date, day_6, 1)
            + in_week(w.game_date, day_7, 1) AS week_games,
        in_week(w.game_date, day_1, seconds_1)
            + in_week(w.game_date, day_2, seconds_2)
            + in_week(w.game_date, day_3, seconds_3)
            + in_week(w.game_date, day_4, seconds_4)
            + in_week(w.game_date, day_5, seconds_5)
            + in_week(w.game_date, day_6, seconds_6)
            + in_week(w.game_date, day_7, seconds_7) AS week_seconds,
        in_week(w.game_date, day_1, (seconds_1 IS NOT NULL)::INTEGER)
            + in_week(w.game_date, day_2, (seconds_2 IS NOT NULL)::INTEGER)
            + in_week(w.game_date, day_3, (seconds_3 IS NOT NULL)::INTEGER)
            + in_week(w.game_date, day_4, (seconds_4 IS NOT NULL)::INTEGER)
            + in_week(w.game_date, day_5, (seconds_5 IS NOT NULL)::INTEGER)
            + in_week(w.game_date, day_6, (seconds_6 IS NOT NULL)::INTEGER)
            + in_week(w.game_date, day_7, (seconds_7 IS NOT NULL)::INTEGER) AS week_known,
        len(list_filter(second_nights, lambda day: day >= w.game_date - 13)) AS close_pairs,

        -- the player's primary zone, and where he shoots
        paint_10 + mid_range_10 + three_pt_10 AS zones_10,
        CASE
            WHEN 100 * paint_10 >= 40 * zones_10 THEN 'paint'
            WHEN 100 * three_pt_10 >= 40 * zones_10 THEN 'three_pt'
            WHEN 100 * mid_range_10 >= 35 * zones_10 THEN 'mid_range'
            ELSE 'paint'
        END AS zone,
        CASE zone WHEN 'paint' THEN paint_10 WHEN 'three_pt' THEN three_pt_10 ELSE mid_range_10 END
            AS zone_10,
        CASE zone WHEN 'paint' THEN opp.defence_paint WHEN 'three_pt' THEN opp.defence_three_pt
            ELSE opp.defence_mid_range END
            * CASE WHEN zones_10 > 0 THEN least(100 * zone_10 / zones_10 / 50, 1) END AS mismatch,

        -- the season against the last ten, in seconds
        w.seconds_10 * s.known - s.seconds * w.known_10 AS above,
        s.seconds * w.known_10 AS base,
        3 * points_2 - 2 * (points_5 - points_2) AS trend,

        points_5 / games_5 AS feature_0_value,
        points_10 / games_10 AS feature_1_value,
        s.points / nullif(s.games, 0) AS feature_2_value,
        sqrt((games_10 * squares_10 - points_10 * points_10)
            / nullif(games_10 * (games_10 - 1), 0)) AS feature_3_value,
        week_games AS feature_4_value,
        CASE WHEN found > 0 THEN least(greatest(100
            - CASE WHEN own.played_yesterday = 1 THEN 15 WHEN days_rest >= 3 THEN -5 ELSE 0 END
            - CASE WHEN week_games >= 4 THEN 10 ELSE 0 END
            - CASE WHEN week_seconds > 14400 THEN 10 ELSE 0 END
            - CASE WHEN week_seconds > 2100 * week_known THEN 8 ELSE 0 END
            - CASE WHEN close_pairs >= 2 THEN 12 WHEN close_pairs = 1 THEN 5 ELSE 0 END, 0), 100)
            END AS feature_5_value,
        clamp(CASE WHEN abs(mismatch) > 5 THEN mismatch * 1.2 ELSE mismatch END, 10) AS feature_6_value,
        clamp((opp.pace_15 - own.pace_10) / 2, 3) AS feature_7_value,
        CASE WHEN games_10 >= 3 THEN clamp(0.3 * (usage_3 - usage_10), 3) END AS feature_8_value,
        clamp(own.rest_days - opp.rest_days, 2) AS feature_9_value,
        NULL::DOUBLE AS feature_10_value,
        CASE WHEN games_5 = 5 THEN CASE WHEN trend >= 30 THEN 2 WHEN trend >= 12 THEN 1
            WHEN trend <= -30 THEN -2 WHEN trend <= -12 THEN -1 ELSE 0 END END AS feature_11_value,
        CASE WHEN base > 0 THEN CASE WHEN 5 * above >= base THEN 2 WHEN 10 * above >= base THEN 1
            WHEN 5 * above <= -base THEN -2 WHEN 10 * above <= -base THEN -1 ELSE 0 END END
            AS feature_12_value,
        opp.defensive_rating_15 AS feature_13_value,
        opp.pace_15 AS feature_14_value,
        c.is_home::INTEGER AS feature_15_value,
        own.played_yesterday AS feature_16_value,
        c.playoff AS feature_17_value,
        paint_shots_10 / nullif(charted_shots_10, 0) AS feature_18_value,
        mid_range_shots_10 / nullif(charted_shots_10, 0) AS feature_19_value,
        three_pt_shots_10 / nullif(shots_10, 0) AS feature_20_value,
        CASE WHEN free_known_10 >= 5 THEN free_makes_10 / nullif(free_points_10, 0) END AS feature_21_value,
        own.pace_10 AS feature_22_value,
        own.offensive_rating_10 AS feature_23_value,
        own.win_pct AS feature_24_value,
        NULL::DOUBLE AS feature_25_value,
        NULL::DOUBLE AS feature_26_value,
        NULL::DOUBLE AS feature_27_value,
        NULL::DOUBLE AS feature_28_value,
        m.points / nullif(m.games, 0) AS feature_29_value,
        m.games AS feature_30_value,
        seconds_10 / nullif(60 * known_10, 0) AS feature_31_value,
        60 * timed_points_10 / timed_seconds_10 AS feature_32_value,
        CASE WHEN rows_10 >= 3 THEN absent_10 / rows_10 END AS feature_33_value,
        games_10 * (games_10 - 1) // 2 AS places,
        CASE WHEN games_10 >= 5 THEN
            (games_10 * (placed_10 - (w.place - games_10 + 1) * points_10) - places * points_10)
            / (games_10 * (places * (2 * games_10 - 1) // 3) - places * places) END AS feature_34_value,
        clamp((feature_0_value - feature_2_value) / nullif(feature_3_value, 0), 3) AS feature_35_value,
        (feature_0_value > feature_2_value + 1.5 * feature_3_value)::INTEGER AS feature_36_value
    FROM clean c
    JOIN last_games w USING (id)
    LEFT JOIN season_sums s USING (id)
    LEFT JOIN meetings m USING (id)
    LEFT JOIN stored_keys k ON k.player_lookup = c.player_lookup AND k.game_date = c.game_date
    LEFT JOIN team_context own ON own.team_abbr = c.team_abbr AND own.game_date = c.game_date
        AND own.season_year = c.season_year
    LEFT JOIN team_context opp ON opp.team_abbr = c.opponent_team_abbr AND opp.game_date = c.game_date
        AND opp.season_year = c.season_year
);

CREATE OR REPLACE TEMP TABLE staged_gaps AS
SELECT player_lookup, game_date, skip_reason,
    CASE skip_reason
        WHEN 'bootstrap' THEN found || ' of ' || getvariable('min_games') || ' games, in the season''s first '
            || getvariable('bootstrap_days') || ' days'
        WHEN 'no_history' THEN 'no played game in the 365 days before'
        ELSE 'neither team has a game in the 365 days before'
    END AS skip_detail,
    game_id, team_abbr, opponent_team_abbr, season_year
FROM computed WHERE skip_reason IS NOT NULL
UNION ALL
SELECT player_lookup, game_date, 'invalid_input', broken,
    game_id, team_abbr, opponent_team_abbr, season_year
FROM clean
WHERE NOT valid AND player_lookup IS NOT NULL AND game_date >= getvariable('targets_start');

CREATE OR REPLACE TEMP TABLE staged_targets AS
SELECT player_lookup, game_date FROM clean
WHERE player_lookup IS NOT NULL AND game_date >= getvariable('targets_start');
