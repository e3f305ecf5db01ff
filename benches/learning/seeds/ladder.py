from walk_creator import walker_creator

RUNGS = 5
WIDTH = 6.0
STEP = 2.5


def make_rung(wc, height):
    left = wc.add_joint(0, height)
    right = wc.add_joint(WIDTH, height)
    wc.add_muscle(left, right)
    return left, right


def make_walker():
    wc = walker_creator()
    below = None
    for i in range(RUNGS):
        rung = make_rung(wc, i * STEP)
        if below is not None:
            wc.add_muscle(below[0], rung[0])
            wc.add_muscle(below[1], rung[1], False, 0.8, i / RUNGS)
            wc.add_muscle(below[0], rung[1], False, 0.5, 0.25)
        below = rung
    return wc.get_walker()
