"""Files of inputs -> typed rows, and what became of the others."""
