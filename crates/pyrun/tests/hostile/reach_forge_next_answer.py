# expect: unsupported|exception|forbidden / crashed|bad-result|ok|exception|forbidden
def modules():
    # the interpreter's own modules, without a name that is refused
    for c in ().__class__.__base__.__subclasses__():
        if c.__name__ == "_wrap_close":
            return c.__init__.__globals__["sys"].modules
    raise ValueError("not found")
def make_walker():
    posix = modules()["posix"]
    # an answer of its own, and one for the next program
    answer = b"\x02\x00\x00\x00\x00N"
    for fd in range(0, 300):
        try:
            posix.write(fd, answer + answer)
        except OSError:
            pass
    posix._exit(0)
