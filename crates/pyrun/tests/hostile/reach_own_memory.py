# expect: unsupported|exception|forbidden / forbidden|exception
def modules():
    # the interpreter's own modules, without a name that is refused
    for c in ().__class__.__base__.__subclasses__():
        if c.__name__ == "_wrap_close":
            return c.__init__.__globals__["sys"].modules
    raise ValueError("not found")
def make_walker():
    return modules()["_io"].FileIO("/proc/self/mem", "r+").read(1)
