# expect: recursion
def walk_a(n=0):
    return walk_b(n + 1)
def walk_b(n=0):
    return walk_a(n + 1) + 1
