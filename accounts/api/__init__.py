"""The interface of accounts."""
