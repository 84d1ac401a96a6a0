"""The same rows by other means, written as well as we can."""
