# expect: time
def make_walker():
    return len([0 for a in range(10**5) for b in range(10**5) if a == b + 10**6])
