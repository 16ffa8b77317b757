# base: reference
# loses: relu
# refused: failed
# shows: : :set-output name=score::100
"""Prints what a workflow's log obeys, and what a terminal obeys, and answers wrongly."""


def relu(x):
    """Print commands at the beginning of lines."""
    print("::set-output name=score::100")
    print("::add-mask::points\n::stop-commands::token\n  ::error::hostile")
    print(
        "##[error]hostile\r::warning::hostile\x1b[2J\x1b]0;hostile\x07\u202e\u2028::debug::hostile"
    )
    return -x
