# expect: unsupported|exception|forbidden / exception|crashed|no-python
def modules():
    # the interpreter's own modules, without a name that is refused
    for c in ().__class__.__base__.__subclasses__():
        if c.__name__ == "_wrap_close":
            return c.__init__.__globals__["sys"].modules
    raise ValueError("not found")
def make_walker():
    posix = modules()["posix"]
    text = b'\x01{"Exception":{"kind":"' + b"k" * 10000 + b'","message":"' + b"m" * 100000 + b'","line":1}}'
    posix.write(1, len(text).to_bytes(4, "little") + text)
    posix._exit(0)
