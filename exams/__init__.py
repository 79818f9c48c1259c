"""What: exams, problems, policies and the life-cycle of a session."""
