"""What the grader asks of an entry, in the entry's worker; each function travels there alone."""

import numpy as np


def defines(name):
    """Tell whether the entry has a function of this name."""
    import entry

    return callable(getattr(entry, name, None))


def featherweight(data, images):
    """Return the logits (N, 10) of a model that was packed into bytes."""
    import entry

    return entry.load(data.tobytes())(images)


def sprint(weights, data):
    """Return the function from images to logits."""
    import entry

    return entry.load(weights, data.tobytes()) if len(data) else entry.load(weights)


def target_begin(images, labels, seed):
    """Begin a training, which gives its weights whenever it wants them to be judged."""
    import entry

    entry.__dict__["training in progress"] = iter(entry.train(images, labels, seed))


def target_next():
    """Return the weights at the next point, None at the end."""
    import entry

    state = next(entry.__dict__["training in progress"], None)
    return None if state is None else {name: np.asarray(array) for name, array in state.items()}


def decode(weights):
    """Return the function from a prompt to what follows."""
    import entry

    return entry.load(weights)


def language_begin(text, letters, context, seed):
    """Begin to learn a text."""
    import entry

    entry.__dict__["training in progress"] = iter(entry.train(text, letters, context, seed))


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
