# expect: forbidden
def make_walker():
    open("CANARY", "a").write("x")
