"""A workplace for approvals: the sandbox around them, a service that counts, and replicas as processes."""
