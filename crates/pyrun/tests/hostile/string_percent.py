# expect: unsupported / memory|exception
def make_walker():
    return len("%100000000000d" % 1)
