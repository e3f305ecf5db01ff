# expect: time
def make_walker():
    n = 0
    for i in range(10**15):
        n += i
    return n
