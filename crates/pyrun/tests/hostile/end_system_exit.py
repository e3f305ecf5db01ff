# expect: exception
def make_walker():
    raise SystemExit(0)
