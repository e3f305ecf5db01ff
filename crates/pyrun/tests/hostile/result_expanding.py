# expect: output-too-large / output-too-large|time|memory
def make_walker():
    a = [1, 2]
    for i in range(40):
        a = [a, a]
    return a
