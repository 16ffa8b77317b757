"""What the grader asks of an entry, in the entry's worker; each function travels there alone."""

import numpy as np


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


def source_cost(source):
    """Return a source without its docstrings, the bytes of its literals, and of the rest packed."""
    import ast
    import zlib

    text = source.tobytes()
    text.decode("utf-8")
    tree = ast.parse(text)
    lines = text.splitlines(keepends=True)
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    for node in ast.walk(tree):
        first = node.body[0] if isinstance(node, documented) and node.body else None
        if not isinstance(first, ast.Expr) or not isinstance(first.value, ast.Constant):
            continue
        if isinstance(first.value.value, str):
            where = first.value
            row, end = where.lineno - 1, where.end_lineno - 1
            after = lines[end][where.end_col_offset :]
            lines[row] = lines[row][: where.col_offset] + b'""' + (b"\n" if end > row else after)
            for number in range(row + 1, end + 1):
                lines[number] = after if number == end and after.strip() else b"\n"
            where.value = ""
    literals = 0
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant):
            value = node.value
            if isinstance(value, str):
                literals, node.value = literals + len(value.encode("utf-8", "surrogatepass")), ""
            elif isinstance(value, bytes):
                literals, node.value = literals + len(value), b""
            elif isinstance(value, (float, complex)):
                literals, node.value = literals + 8 * (1 + isinstance(value, complex)), 0
            elif isinstance(value, int) and not isinstance(value, bool):
                literals, node.value = literals + max(1, (value.bit_length() + 7) // 8), 0
    code = len(zlib.compress(ast.unparse(tree).encode("utf-8", "surrogatepass"), 9))
    return {"source": np.frombuffer(b"".join(lines), np.uint8), "literals": literals, "code": code}


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
