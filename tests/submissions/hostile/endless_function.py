# base: reference
# loses: tanh
# refused: timeout took longer than 1 s
# limits: wall_s=1
# alone: yes
"""Never answers."""


def tanh(x):
    """Turn round and round."""
    while True:
        pass
