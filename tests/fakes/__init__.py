"""Stand-ins written by hand; each keeps the promises of what it stands for."""
