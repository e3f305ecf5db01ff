# expect: exception
def make_walker(wc):
    return 1
