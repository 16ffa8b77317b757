"""Models that a student's framework trains, one for each time the field took a step."""
