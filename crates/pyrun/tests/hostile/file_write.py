# expect: forbidden
def make_walker():
    with open("CANARY", "w") as f:
        f.write("x")
