# expect: output-too-large|time / output-too-large|time|memory
def make_walker():
    return list(range(3000000))
