from walk_creator import walker_creator
import math


def make_circle(wc, n, radius, cx, cy):
    """ Add n joints round the point (cx, cy) """
    joints = []
    step = 6.28 / (n - 1)
    for k in range(n):
        x = cx + math.cos(step * k) * radius
        y = cy + math.sin(step * k) * radius
        joints.append(wc.add_joint(x, y))
    return joints


def make_walker():
    wc = walker_creator()

    n = 8
    rim = make_circle(wc, n, 5.0, 5.0, 5.0)
    hub = wc.add_joint(5.0, 5.0)

    for k in range(n):
        # a stiff rim, spokes that move ever wider and later
        wc.add_muscle(rim[k], rim[(k + 1) % n])
        wc.add_muscle(rim[k], hub, False, float(k) / n, float(k) / n)

    return wc.get_walker()
