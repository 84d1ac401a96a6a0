"""The job around the computation: options, plan, graph, warehouse, commit, and the commands."""

__version__ = "0.1.0"
