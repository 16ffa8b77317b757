"""What the grader asks of an entry, in the entry's worker; each function travels there alone."""

import numpy as np


def defines(name):
    """Tell whether the entry has a function of this name."""
    import entry

    return callable(getattr(entry, name, None))


def featherweight(data):
    """Load a model that was packed into bytes; return whether it is a function, or None."""
    import entry

    entry.__dict__["loaded"] = made = entry.load(data.tobytes())
    return None if made is None else callable(made)


def sprint(weights, data):
    """Load the function from images to logits; return whether it is one, or None."""
    import entry

    made = entry.load(weights, data.tobytes()) if len(data) else entry.load(weights)
    entry.__dict__["loaded"] = made
    return None if made is None else callable(made)


def decode(weights):
    """Load the function from a prompt to what follows; return whether it is one, or None."""
    import entry

    entry.__dict__["loaded"] = made = entry.load(weights)
    return None if made is None else callable(made)


def loaded():
    """Return the function that was loaded."""
    import entry

    return entry.__dict__["loaded"]


def answered(images):
    """Return what the function that was loaded answers."""
    import entry

    return entry.__dict__["loaded"](images)


def target_begin(images, labels, seed):
    """Begin a training, which gives its weights whenever it wants them to be judged."""
    import entry

    steps = entry.train(images, labels, seed)
    if steps is None:
        return None
    entry.__dict__["training in progress"] = iter(steps)
    return True


def target_next():
    """Return the weights at the next point, None at the end."""
    import entry

    state = next(entry.__dict__["training in progress"], None)
    return None if state is None else {name: np.asarray(array) for name, array in state.items()}


def language_begin(text, letters, context, seed):
    """Begin to learn a text."""
    import entry

    steps = entry.train(text, letters, context, seed)
    if steps is None:
        return None
    entry.__dict__["training in progress"] = iter(steps)
    return True


def language_next():
    """Learn until the training pauses; return whether it did, and not end."""
    import entry

    predict = next(entry.__dict__["training in progress"], None)
    if predict is None:
        return False
    entry.__dict__["predict"] = predict
    return True


def language_predict(ids):
    """Return log-probabilities of what follows each row of `ids`."""
    import entry

    return np.asarray(entry.__dict__["predict"](ids))
