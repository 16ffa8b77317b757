# track: featherweight
# extra: MFRGGZDFMZTWQ2LKNNWG23TPOBYXE43UOV3HO6DZPIZDGNBVGY3TQOJQ
# refused: entry/ holds 'MFRGGZDFMZTWQ2LKNNWG23TPOBYXE43UOV3HO6DZPIZDGNBVGY3TQOJQ'
"""Hides weights in the names of files, each of them empty."""

import os


def load(data):
    hidden = "".join(sorted(os.listdir("entry")))
    return lambda images: hidden
