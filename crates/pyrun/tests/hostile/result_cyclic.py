# expect: bad-result|output-too-large
def make_walker():
    a = []
    a.append(a)
    return a
