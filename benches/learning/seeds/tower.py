from walk_creator import walker_creator

points = {"a": (0, 0), "b": (7, 0), "c": (1, 5), "d": (6, 5), "e": (3.5, 10)}
rigid = ["ab", "cd", "ce", "de"]
swings = [("ac", 1.5, 0.0), ("bd", 1.5, 0.5), ("ad", 0.4, 0.25), ("bc", 0.4, 0.75)]


def make_tower():
    wc = walker_creator()
    joints = {}
    for name, place in points.items():
        joints[name] = wc.add_joint(place[0], place[1])
    for pair in rigid:
        wc.add_muscle(joints[pair[0]], joints[pair[1]])
    for pair, strength, moment in swings:
        wc.add_muscle(joints[pair[0]], joints[pair[1]], False, strength, moment)
    return wc.get_walker()
