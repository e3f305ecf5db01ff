# expect: exception
def walker_creator():
    raise ValueError("mine")
def make_walker():
    return walker_creator()
