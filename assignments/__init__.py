"""The assignments and the student command `tito`."""
