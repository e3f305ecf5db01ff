# expect: bad-result
def make_walker():
    d = {}
    d["d"] = d
    return d
