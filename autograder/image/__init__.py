"""What the grader's image is built with: its lock, and what runs once while it is built."""
