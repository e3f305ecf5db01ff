import math

from walk_creator import walker_creator


def make_leg(wc, hub, angle, reach, phase):
    knee = wc.add_joint(8 + reach * math.cos(angle), 6 + reach * math.sin(angle))
    foot = wc.add_joint(8 + 2 * reach * math.cos(angle), 0)
    wc.add_muscle(hub, knee, True)
    wc.add_muscle(knee, foot, True)
    wc.add_muscle(hub, foot, False, amplitude=1.0, phase=phase)
    return knee


def make_spider():
    wc = walker_creator()
    hub = wc.add_joint(8, 8)
    knees = []
    for leg in range(4):
        knees.append(make_leg(wc, hub, 0.5 + leg * 0.7, 4.0, leg * 0.25))
    for a, b in zip(knees, knees[1:]):
        wc.add_muscle(a, b)
    return wc.get_walker()
