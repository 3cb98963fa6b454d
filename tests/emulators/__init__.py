"""Stand-ins that speak the wire, for what the real engines here do not show."""
