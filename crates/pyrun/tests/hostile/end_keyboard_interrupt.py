# expect: exception
def make_walker():
    raise KeyboardInterrupt()
