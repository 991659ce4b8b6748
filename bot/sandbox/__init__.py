"""Everything `countersign demo` stands on: a local Slack workspace, a local tenant, a sample API."""
