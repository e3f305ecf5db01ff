# expect: time
def make_walker():
    a = [1.5] * 100000
    n = 0
    while True:
        if 2.5 in a:
            return 0
        n += 1
