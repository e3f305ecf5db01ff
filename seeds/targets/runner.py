from walk_creator import walker_creator, query_cppn
import math


def make_walker():
    wc = walker_creator()

    def connect(x1, y1, x2, y2):
        # near neighbours, and every other row from end to end
        if (x1 - x2) ** 2 + (y1 - y2) ** 2 <= 2:
            return True
        return y1 == y2 and y1 % 2 == 0 and abs(x1 - x2) == 2

    def amp(x1, y1, x2, y2):
        return 1.0 if y1 < 8 else 0.3

    def phase(x1, y1, x2, y2):
        return 0.2 * x1 + 0.1 * y1

    query_cppn(wc, 5, 8, 1.5, connect, amp, phase)
    return wc.get_walker()
