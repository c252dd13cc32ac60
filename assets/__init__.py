"""Data of the course: texts, frozen reference numbers, drawings."""
