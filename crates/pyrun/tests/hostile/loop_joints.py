# expect: exception
def make_walker():
    wc = walker_creator()
    while True:
        wc.add_joint(1, 2)
