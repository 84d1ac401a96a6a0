#!/usr/bin/env bash
# Two service accounts with what they need and no more; may be run again.
#   feature-store-worker     runs the launcher's machine and the workers
#   feature-store-launcher   asks for launches and looks at jobs; Cloud Scheduler acts as it
# The datasets must exist: feature-store init --warehouse bigquery://... makes them.
set -euo pipefail
: "${PROJECT:?}" "${REGION:?}" "${BUCKET:?a bucket for templates and temporary files}"
: "${REPOSITORY:?the repository of the image in Artifact Registry}"
STAGING=${STAGING:-feature_store_staging}

ROLE=featureStoreLauncher
PERMISSIONS=dataflow.jobs.create,dataflow.jobs.get,dataflow.jobs.list,dataflow.messages.list,dataflow.metrics.get

account() { printf '%s@%s.iam.gserviceaccount.com' "$1" "$PROJECT"; }

make_account() {
  gcloud iam service-accounts describe "$(account "$1")" --project "$PROJECT" >/dev/null 2>&1 \
    || gcloud iam service-accounts create "$1" --project "$PROJECT" --display-name "$2"
}

make_role() {
  local verb=create
  if gcloud iam roles describe "$ROLE" --project "$PROJECT" >/dev/null 2>&1; then verb=update; fi
  gcloud iam roles "$verb" "$ROLE" --project "$PROJECT" --quiet \
    --title "Feature store launcher" --permissions "$PERMISSIONS" --stage GA
}

on_project() {
  gcloud projects add-iam-policy-binding "$PROJECT" --member "serviceAccount:$(account "$1")" --role "$2" \
    --condition None --quiet
}

on_bucket() {
  gcloud storage buckets add-iam-policy-binding "gs://$BUCKET" --member "serviceAccount:$(account "$1")" --role "$2"
}

on_dataset() {
  bq query --project_id "$PROJECT" --use_legacy_sql=false --quiet \
    "GRANT \`$2\` ON SCHEMA \`$PROJECT\`.$1 TO \"serviceAccount:$(account feature-store-worker)\""
}

make_account feature-store-worker "Feature store: workers"
make_account feature-store-launcher "Feature store: launches"

# what Dataflow asks of every worker; query jobs and read sessions are made in the project
on_project feature-store-worker roles/dataflow.worker
on_project feature-store-worker roles/bigquery.jobUser
on_project feature-store-worker roles/bigquery.readSessionUser
on_bucket feature-store-worker roles/storage.objectUser
gcloud artifacts repositories add-iam-policy-binding "$REPOSITORY" --project "$PROJECT" --location "$REGION" \
  --member "serviceAccount:$(account feature-store-worker)" --role roles/artifactregistry.reader
for dataset in nba_analytics nba_raw; do on_dataset "$dataset" roles/bigquery.dataViewer; done
for dataset in nba_predictions nba_processing nba_reference "$STAGING"; do on_dataset "$dataset" roles/bigquery.dataEditor; done

make_role
on_project feature-store-launcher "projects/$PROJECT/roles/$ROLE"
on_bucket feature-store-launcher roles/storage.objectViewer
gcloud iam service-accounts add-iam-policy-binding "$(account feature-store-worker)" --project "$PROJECT" \
  --member "serviceAccount:$(account feature-store-launcher)" --role roles/iam.serviceAccountUser
