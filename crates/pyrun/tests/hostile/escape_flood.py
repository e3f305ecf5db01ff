# expect: unsupported / crashed|time|output-too-large
def make_walker():
    os = [c for c in ().__class__.__base__.__subclasses__() if c.__name__ == "_wrap_close"][0].__init__.__globals__
    while True:
        os["write"](1, b"x" * 60000)
