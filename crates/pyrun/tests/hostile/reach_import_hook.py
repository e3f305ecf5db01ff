# expect: unsupported|exception|forbidden / exception|crashed|bad-result|forbidden|ok
def modules():
    # the interpreter's own modules, without a name that is refused
    for c in ().__class__.__base__.__subclasses__():
        if c.__name__ == "_wrap_close":
            return c.__init__.__globals__["sys"].modules
    raise ValueError("not found")
def make_walker():
    m = modules()
    m["builtins"].__import__ = None
    m.clear()
    return 1
