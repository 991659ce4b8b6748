"""Who did what: a chain of entries per workspace, each bound to the one before by its hash."""
