# expect: exception
def make_walker():
    wc = walker_creator()
    wc.add_joint("1", [2])
