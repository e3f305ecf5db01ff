from walk_creator import walker_creator

def make_walker():
    wc = walker_creator()
    size = 3
    count = 4
    tops = [wc.add_joint(size * i, size) for i in range(count + 1)]
    feet = [wc.add_joint(size * i, 0) for i in range(count + 1)]
    for i in range(count):
        wc.add_muscle(tops[i], tops[i + 1])
        wc.add_muscle(feet[i], feet[i + 1], False, 1.2, i * 0.2)
        wc.add_muscle(tops[i], feet[i + 1])
    for top, foot in zip(tops, feet):
        wc.add_muscle(top, foot, False, 0.6, 0.5)
    return wc.get_walker()
