"""What the course promises about time and memory, measured: `make bench`."""
