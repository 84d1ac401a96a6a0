-- The rows, where the dates have some: vanished ones go, new and changed ones come.

CREATE OR REPLACE TEMP TABLE changes AS
SELECT s.player_lookup, s.game_date, s.created_at, f.player_lookup IS NULL AS vanished, {differs} AS changed
FROM nba_predictions.ml_feature_store_v2 s
LEFT JOIN staged_features f USING (player_lookup, game_date)
WHERE s.game_date >= getvariable('targets_start') AND s.game_date < getvariable('targets_end');

SELECT error('more rows would vanish than a run may delete')
FROM changes HAVING count(*) FILTER (vanished) > greatest(10, 0.02 * count(*));

SELECT error('a date would lose all its rows: ' || game_date)
FROM changes WHERE game_date NOT IN (SELECT game_date FROM staged_targets);

DELETE FROM nba_predictions.ml_feature_store_v2 s USING changes c
WHERE (c.vanished OR c.changed) AND c.player_lookup = s.player_lookup AND c.game_date = s.game_date
    AND s.game_date >= getvariable('targets_start') AND s.game_date < getvariable('targets_end');

INSERT INTO nba_predictions.ml_feature_store_v2
SELECT f.*, getvariable('run_id'), coalesce(c.created_at, getvariable('run_at')), getvariable('run_at')
FROM staged_features f LEFT JOIN changes c USING (player_lookup, game_date)
WHERE c.player_lookup IS NULL OR c.changed;

SET VARIABLE deleted = (SELECT count(*) FROM changes WHERE vanished);
SET VARIABLE updated = (SELECT count(*) FROM changes WHERE changed AND NOT vanished);
SET VARIABLE created = (
    SELECT count(*) FROM staged_features f ANTI JOIN changes c USING (player_lookup, game_date));
