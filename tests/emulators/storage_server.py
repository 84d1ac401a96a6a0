"""Cloud Storage on loopback: gcp-storage-emulator, confined. Run by `launch`, under Python 3.13.

python storage_server.py DATA_DIR [PORT]
"""

from __future__ import annotations

import logging
import sys
from functools import partial
from http.server import HTTPServer

import confinement
from gcp_storage_emulator.server import RequestHandler
from gcp_storage_emulator.storage import Storage


class _Server(HTTPServer):
    """One request at a time, as upstream: its store is not made for threads."""

    def __init__(self, port: int, storage: Storage) -> None:
        super().__init__(("127.0.0.1", port), partial(RequestHandler, storage), bind_and_activate=False)
        self.socket.close()
        self.socket = confinement.listen(port)
        self.server_address = self.socket.getsockname()


def main(data_dir: str, port: str = "0") -> None:
    logging.basicConfig(level=logging.CRITICAL)
    confinement.confine()
    server = _Server(int(port), Storage(data_dir=data_dir))
    confinement.announce(rest=server.server_address[1])
    server.serve_forever()


if __name__ == "__main__":
    main(*sys.argv[1:])
