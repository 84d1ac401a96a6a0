-- The rows, where none of the dates has any yet.

INSERT INTO nba_predictions.ml_feature_store_v2
SELECT *, getvariable('run_id'), getvariable('run_at'), getvariable('run_at') FROM staged_features;

SET VARIABLE created = (SELECT count(*) FROM staged_features);
SET VARIABLE updated = 0;
SET VARIABLE deleted = 0;
