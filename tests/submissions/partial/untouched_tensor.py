# module: tensor
# base: starter
# loses: everything
# refused: error NotImplementedError
"""The starter as it was handed out."""
