"""The job on Dataflow, seen from outside: its template, its launch, and how it goes on. No Beam here."""
