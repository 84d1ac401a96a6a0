"""``python -m pipeline``: the backfill for Beam launchers, with the flags of the job."""

import sys

from pipeline.commands.app import main

if __name__ == "__main__":
    sys.exit(main(["backfill", *sys.argv[1:]]))
