"""BigQuery's dialect on DuckDB: one statement to one statement, with BigQuery's meaning.

``translate`` is the way in. ``parsing`` and ``checks`` decide what is answered; ``functions`` is the
table of tested functions, ``macros``, ``calls`` and ``dates`` their rewritings, ``formats`` the small
languages inside their texts; ``aliases`` and ``rewriting`` are the syntax around them; ``reference``
writes the table for the reader. Nothing here opens a warehouse: its tables are passed in by name.
"""
