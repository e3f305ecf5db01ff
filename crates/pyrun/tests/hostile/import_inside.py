# expect: forbidden
def make_walker():
    import os
    return os.getpid()
