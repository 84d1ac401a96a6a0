"""The emulators for another process: prints where they answer as one line of JSON, until its input ends.

python -m emulators.serve
"""

from __future__ import annotations

import json
import sys

from emulators.launch import Emulators


def main() -> None:
    with Emulators() as emulators:
        places = {"rest": emulators.rest, "storage_api": emulators.storage_api, "gcs": emulators.gcs}
        sys.stdout.write(json.dumps(places) + "\n")
        sys.stdout.flush()
        sys.stdin.read()


if __name__ == "__main__":
    main()
