"""Makes property tests exact: the same examples in every run, and no deadline to miss."""

from hypothesis import settings

settings.register_profile("exact", deadline=None, derandomize=True, print_blob=True)
settings.load_profile("exact")
