"""What students hand in, as fixtures: honest, wrong, partial and hostile."""
