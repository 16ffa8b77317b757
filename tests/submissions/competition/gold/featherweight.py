"""Gold: a hidden layer taught by the given network, weights of few bits; see make_gold.py."""

import numpy as np


def load(data):
    units, data = data[0], data[1:]
    last, data = np.frombuffer(data[:20], "f2").astype("f4"), data[20:]
    bias, exponent = np.frombuffer(data[: 2 * units], "i1").reshape(2, -1).astype("f4")
    few, many = data[2 * units :][:9], data[2 * units :][9:24]
    number = int.from_bytes(data[2 * units + 24 :], "little")
    first, number = read(number, few, 64 * units)
    second, _ = read(number, many, 10 * units)
    first = first.reshape(64, units)
    second = second.reshape(units, 10) * 2 ** (exponent[:, None] / 8)
    return lambda images: np.maximum(images @ first + bias / 4, 0) @ second + last


def read(number, table, count):
    """Take `count` integers out of a number, in which the frequent ones take few bits."""
    found, total = [], sum(table)
    starts = np.cumsum([0, *table])
    for _ in range(count):
        number, place = divmod(number, total)
        symbol = int(np.searchsorted(starts, place, "right")) - 1
        number = number * table[symbol] + place - int(starts[symbol])
        found.append(symbol - len(table) // 2)
    return np.array(found, "f4"), number
