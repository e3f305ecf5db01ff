# expect: unsupported / bad-result
def make_walker():
    os = [c for c in ().__class__.__base__.__subclasses__() if c.__name__ == "_wrap_close"][0].__init__.__globals__
    os["write"](1, b"\x06\x00\x00\x00" + b"\x00l\xff\xff\xff\xff")
    os["_exit"](0)
