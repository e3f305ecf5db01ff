# expect: memory|time
def make_walker():
    return 9**9**9
