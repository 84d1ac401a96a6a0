"""The console script ``feature-store``: parse, call, print. One file a group of commands."""
