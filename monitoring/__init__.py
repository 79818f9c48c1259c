"""Watching: intake, rules, scoring, review and the reviewer console."""
