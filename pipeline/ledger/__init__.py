"""The gap ledger and the store held against the inputs: what is covered, broken, open, and what fills it."""
