"""BigQuery and Cloud Storage on loopback: servers, and proxies that make them fail, for tests alone.

`environment` finds the interpreter, `launch` starts the servers, `rest_faults` and `grpc_faults` stand in
front of them, `guard` sees that nothing leaves loopback. `bigquery_server`, `storage_server` and what they
import (`confinement`, `upstream`, `behaviour`) run in an environment of their own, under Python 3.13.
"""
