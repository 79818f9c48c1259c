"""The interface of exams and submissions."""
