# expect: unsupported|exception|forbidden / exception|crashed|forbidden|bad-result
def modules():
    # the interpreter's own modules, without a name that is refused
    for c in ().__class__.__base__.__subclasses__():
        if c.__name__ == "_wrap_close":
            return c.__init__.__globals__["sys"].modules
    raise ValueError("not found")
def make_walker():
    found, left = [], [object]
    while left:
        for c in type.__subclasses__(left.pop()):
            if c not in found and c is not type:
                found.append(c)
                left.append(c)
    pointer = [c for c in found if "CFuncPtr" in c.__name__][-1]
    kind = type("f", (pointer,), {"_flags_": 1, "_restype_": None})
    kind(1)()
