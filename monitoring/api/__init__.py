"""The interface of sessions, what was watched of them, and what people decided."""
