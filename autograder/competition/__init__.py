"""The capstone competition: entries are loaded, measured and checked here, and believed nothing."""
