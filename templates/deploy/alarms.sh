#!/usr/bin/env bash
# The alarms of alarms/*.json; may be run again. CHANNEL is projects/P/notificationChannels/N:
#   gcloud beta monitoring channels create --type email --display-name feature-store --channel-labels email_address=YOU
set -euo pipefail
: "${PROJECT:?}" "${CHANNEL:?projects/P/notificationChannels/N}"
for policy in "$(dirname "$0")"/alarms/*.json; do
  name=$(sed -n 's/^  "displayName": "\(.*\)",$/\1/p' "$policy")
  found=$(gcloud alpha monitoring policies list --project "$PROJECT" --filter "displayName='$name'" --format 'value(name)')
  if [ -n "$found" ]; then
    gcloud alpha monitoring policies update "$found" --project "$PROJECT" --policy-from-file "$policy"
  else
    gcloud alpha monitoring policies create --project "$PROJECT" --policy-from-file "$policy" --notification-channels "$CHANNEL"
  fi
done
