"""The computation: Arrow batches in, feature rows and gaps out. Imports nothing of ``pipeline``."""
