from walk_creator import walker_creator, query_cppn
import numpy as np


def make_walker():
    wc = walker_creator()

    def connect(x1, y1, x2, y2):
        # near neighbours on the grid
        return (x1 - x2) ** 2 + (y1 - y2) ** 2 <= 4.5

    def amp(x1, y1, x2, y2):
        return max(abs(x1 - x2), abs(y1 - y2))

    def phase(x1, y1, x2, y2):
        return np.sign(x1)

    query_cppn(wc, 8, 3, 1.5, connect, amp, phase)

    return wc.get_walker()
