"""Who: users, candidates and roles."""
