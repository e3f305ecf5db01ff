# expect: unsupported / forbidden|exception
def make_walker():
    for c in ().__class__.__base__.__subclasses__():
        if c.__name__ == "_wrap_close":
            c.__init__.__globals__["open"]("CANARY", "w").write("x")
    raise ValueError("not found")
