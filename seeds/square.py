from walk_creator import walker_creator


def make_square(wc, x0, y0, x1, y1):
    """ Add the four corners of the box spanned by two points """
    return [
        wc.add_joint(x0, y0),
        wc.add_joint(x0, y1),
        wc.add_joint(x1, y1),
        wc.add_joint(x1, y0),
    ]


def make_walker():
    wc = walker_creator()

    # a ten by ten box with a joint in its middle
    corners = make_square(wc, 0, 0, 10, 10)
    middle = wc.add_joint(5, 5)

    # stiff sides
    for k in range(4):
        wc.add_muscle(corners[k], corners[(k + 1) % 4])

    # one stiff strut, three that move
    wc.add_muscle(corners[3], middle)
    wc.add_muscle(corners[0], middle, False, 5.0, 0.0)
    wc.add_muscle(corners[1], middle, False, 10.0, 0.0)
    wc.add_muscle(corners[2], middle, False, 2.0, 0.0)

    return wc.get_walker()
