# module: layers
# base: reference
# loses: everything
# refused: took longer than 1 s
# limits: wall_s=1
"""Never stops training."""


def forward(self, x):
    while True:
        pass


Linear.forward = forward
