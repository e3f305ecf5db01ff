from walk_creator import walker_creator
import math


def make_wheel(wc, n, radius, cx, cy):
    """ Add n joints round the point (cx, cy), tie each to the next three """
    rim = []
    for k in range(n):
        angle = 2 * math.pi * k / n
        rim.append(wc.add_joint(cx + radius * math.cos(angle), cy + radius * math.sin(angle)))
    for k in range(n):
        wc.add_muscle(rim[k], rim[(k + 1) % n])
        wc.add_muscle(rim[k], rim[(k + 2) % n], False)
        wc.add_muscle(rim[k], rim[(k + 3) % n], False, 1.0, 2 * k / n)
    return rim


def make_walker():
    wc = walker_creator()
    n = 8
    rim = make_wheel(wc, n, 5, 5, 5)
    # the hub is off the centre, so that the wheel leans
    hub = wc.add_joint(6, 4)
    for k in range(n):
        wc.add_muscle(hub, rim[k], False, 0.5, 2 * k / n)
    return wc.get_walker()
