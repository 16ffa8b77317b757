"""TinyTorch: a machine-learning framework in NumPy."""
