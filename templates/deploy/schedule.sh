#!/usr/bin/env bash
# The schedule: two jobs of Cloud Scheduler that launch the flex template; may be run again.
#   feature-store-daily       11:30 US Eastern: today's games, and those of the last days again
#   feature-store-fill-gaps   05:30 US Eastern: the open gaps that can be filled since
# The service refuses a launch while a job of the same name runs: a late one is not joined by the next.
set -euo pipefail
: "${PROJECT:?}" "${REGION:?}" "${BUCKET:?}" "${TEMPLATE:?gs://BUCKET/NAME.json}" "${IMAGE:?NAME:TAG}"
WAREHOUSE=${WAREHOUSE:-bigquery://$PROJECT?temp=gs://$BUCKET/temp}
MACHINE_TYPE=${MACHINE_TYPE:-n2-standard-4}
MAX_WORKERS=${MAX_WORKERS:-4}
SUBNETWORK=${SUBNETWORK:-}
DAILY_AT=${DAILY_AT:-30 11 * * *}
GAPS_AT=${GAPS_AT:-30 5 * * *}

WORKER=feature-store-worker@$PROJECT.iam.gserviceaccount.com
LAUNCHER=feature-store-launcher@$PROJECT.iam.gserviceaccount.com

for value in "$PROJECT" "$REGION" "$BUCKET" "$TEMPLATE" "$IMAGE" "$WAREHOUSE" "$MACHINE_TYPE" "$MAX_WORKERS" "$SUBNETWORK"; do
  case $value in *[\"\\]*|*[[:space:]]*) echo "cannot stand in a request: $value" >&2; exit 2 ;; esac
done
case $IMAGE in *:latest) echo "expected IMAGE with a tag of its own, found $IMAGE" >&2; exit 2 ;; esac

# workers in a subnetwork of one's own need no public addresses (Private Google Access must be on)
NETWORK=${SUBNETWORK:+"      \"subnetwork\": \"$SUBNETWORK\", \"ipConfiguration\": \"WORKER_IP_PRIVATE\","}

write_body() {
  cat <<BODY
{
  "launchParameter": {
    "jobName": "$1",
    "containerSpecGcsPath": "$TEMPLATE",
    "parameters": {"mode": "$2", "warehouse": "$WAREHOUSE"},
    "environment": {
      "tempLocation": "gs://$BUCKET/temp",
      "stagingLocation": "gs://$BUCKET/staging",
      "serviceAccountEmail": "$WORKER",
      "machineType": "$MACHINE_TYPE",
      "maxWorkers": $MAX_WORKERS,
$NETWORK
      "sdkContainerImage": "$IMAGE",
      "additionalUserLabels": {"application": "feature-store", "feature-store-mode": "$2"}
    }
  }
}
BODY
}

put_job() {
  local verb=create headers=--headers body
  body=$(mktemp)
  write_body "$1" "$2" >"$body"
  if gcloud scheduler jobs describe "$1" --project "$PROJECT" --location "$REGION" >/dev/null 2>&1; then
    verb=update headers=--update-headers
  fi
  gcloud scheduler jobs "$verb" http "$1" --project "$PROJECT" --location "$REGION" \
    --schedule "$3" --time-zone America/New_York --http-method POST \
    --uri "https://dataflow.googleapis.com/v1b3/projects/$PROJECT/locations/$REGION/flexTemplates:launch" \
    --message-body-from-file "$body" "$headers" Content-Type=application/json \
    --oauth-service-account-email "$LAUNCHER" \
    --oauth-token-scope https://www.googleapis.com/auth/cloud-platform \
    --attempt-deadline 180s --max-retry-attempts 2 --min-backoff 60s
  rm "$body"
}

put_job feature-store-daily daily "$DAILY_AT"
put_job feature-store-fill-gaps gaps "$GAPS_AT"
