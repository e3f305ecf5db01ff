# expect: syntax
def make_walker(:
    return 1
