-- What must hold before any table is touched. {broken} is made from the ranges in the registry.

SELECT error('a target is not one row or one gap: ' || player_lookup || ' on ' || game_date) FROM (
    SELECT player_lookup, game_date, 1 AS t, 0 AS r FROM staged_targets
    UNION ALL SELECT player_lookup, game_date, 0, 1 FROM staged_features
    UNION ALL SELECT player_lookup, game_date, 0, 1 FROM staged_gaps
) GROUP BY player_lookup, game_date HAVING sum(t) <> 1 OR sum(r) <> 1;

SELECT error('a value is out of its range: ' || player_lookup || ' on ' || game_date)
FROM staged_features WHERE {broken};
