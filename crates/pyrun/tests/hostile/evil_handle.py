# expect: exception
def make_walker():
    wc = walker_creator()
    a = wc.add_joint(1, 2)
    wc.add_muscle(a, 7)
