# expect: time|memory
def make_walker():
    a = [1]
    for x in a:
        a.append(x)
