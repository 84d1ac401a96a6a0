"""BigQuery's dialect on DuckDB: one statement to one statement, with BigQuery's meaning.

``translate`` is the way in; ``parsing`` and ``checks`` decide what is answered, ``functions`` is the
table of tested functions, ``calls`` and ``macros`` their rewritings, ``rewriting`` that of the rest of
the syntax. Nothing here opens a warehouse: the catalog is passed in.
"""
