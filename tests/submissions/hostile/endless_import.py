# base: reference
# loses: everything
# refused: took longer than 1 s
# limits: wall_s=1
"""Never finishes importing."""

while True:
    pass
