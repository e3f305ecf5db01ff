# expect: forbidden
def make_walker():
    return open("CANARY").read()
