import math
from walk_creator import walker_creator


def arch(x, span, rise):
    return rise * math.sin(math.pi * x / span)


def connect(wc, row, rigid, amplitude):
    for k in range(len(row) - 1):
        wc.add_muscle(row[k], row[k + 1], rigid, amplitude, k / len(row))


def make_walker():
    wc = walker_creator()
    span, parts = 16, 6
    deck, ribs = [], []
    for k in range(parts + 1):
        x = span * k / parts
        deck.append(wc.add_joint(x, arch(x, span, 4)))
        ribs.append(wc.add_joint(x, arch(x, span, 4) + 3))
    connect(wc, deck, False, 0.9)
    connect(wc, ribs, True, 0)
    for low, high in zip(deck, ribs):
        wc.add_muscle(low, high)
    for k in range(parts):
        wc.add_muscle(deck[k], ribs[k + 1], False, 0.7, 0.5)
    return wc.get_walker()
