# track: decode
# refused: ^ValueError in entry/decode.py, line 8$
"""Would have the hidden text that it is asked about told in its report."""


def load(weights):
    def write(prompt):
        raise ValueError(f"I saw {prompt.tolist()}")

    return write
