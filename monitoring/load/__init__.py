"""Simulated candidates, and servers of their own to send to: for measuring what a machine carries."""
