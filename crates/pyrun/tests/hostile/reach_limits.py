# expect: unsupported|exception|forbidden / memory|time
def modules():
    # the interpreter's own modules, without a name that is refused
    for c in ().__class__.__base__.__subclasses__():
        if c.__name__ == "_wrap_close":
            return c.__init__.__globals__["sys"].modules
    raise ValueError("not found")
def make_walker():
    resource = modules()["resource"]
    try:
        resource.setrlimit(resource.RLIMIT_AS, (-1, -1))
    except (ValueError, OSError):
        pass
    grown = [0]
    while True:
        grown = grown + grown
