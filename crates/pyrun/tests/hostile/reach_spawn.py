# expect: unsupported|exception|forbidden / forbidden|exception|crashed
def modules():
    # the interpreter's own modules, without a name that is refused
    for c in ().__class__.__base__.__subclasses__():
        if c.__name__ == "_wrap_close":
            return c.__init__.__globals__["sys"].modules
    raise ValueError("not found")
def make_walker():
    modules()["posix"].posix_spawn("/bin/sh", ["/bin/sh", "-c", "echo x > CANARY"], {})
