# expect: unsupported|exception|forbidden / exception|forbidden
def make_walker():
    def g():
        yield 1
    it = g()
    builtins = it.gi_frame.f_builtins
    return builtins["__import__"]("os").listdir("/")
