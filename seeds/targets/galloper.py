from walk_creator import walker_creator


def make_sensor(wc, x0=0.0, y0=0.0, x1=0.5, y1=3.0, x2=2.5, y2=4.5, x3=4.0, y3=3.0, x4=3.5, y4=0.5, x5=1.8, y5=2.2):
    """ Add six joints and return them, from the left foot over the back to the middle """
    return [
        wc.add_joint(x0, y0),
        wc.add_joint(x1, y1),
        wc.add_joint(x2, y2),
        wc.add_joint(x3, y3),
        wc.add_joint(x4, y4),
        wc.add_joint(x5, y5),
    ]


def make_walker(dx=5.0, amplitude=0.8, lag=0.4):
    wc = walker_creator()
    first = make_sensor(wc)
    second = make_sensor(wc, x0=dx, x1=dx + 0.5, x2=dx + 2.5, x3=dx + 4.0, x4=dx + 3.5, x5=dx + 1.8)
    third = make_sensor(wc, y0=4.0, y1=6.0, y2=7.5, y3=6.0, y4=4.5, y5=5.2)
    fourth = make_sensor(wc, x0=dx, x1=dx + 0.5, x2=dx + 2.5, x3=dx + 4.0, x4=dx + 3.5, x5=dx + 1.8, y0=4.0, y1=6.0, y2=7.5, y3=6.0, y4=4.5, y5=5.2)
    fifth = make_sensor(wc, x0=2.5, x1=3.0, x2=5.0, x3=6.5, x4=6.0, x5=4.3, y0=2.0, y1=5.0, y2=6.5, y3=5.0, y4=2.5, y5=4.2)
    sensors = [first, second, third, fourth, fifth]
    for k, sensor in enumerate(sensors):
        for i in range(5):
            wc.add_muscle(sensor[i], sensor[(i + 1) % 5])
            wc.add_muscle(sensor[i], sensor[5], False, amplitude, i * lag)
    for k in range(4):
        for i in range(6):
            wc.add_muscle(sensors[k][i], sensors[k + 1][i], i % 3 == 0, amplitude, k * lag)
    return wc.get_walker()
