"""PyTorch's answers, frozen: `<module>.py` makes `fixtures/<module>.npz`."""
