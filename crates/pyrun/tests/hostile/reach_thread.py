# expect: unsupported|exception|forbidden / exception|forbidden|crashed
def modules():
    # the interpreter's own modules, without a name that is refused
    for c in ().__class__.__base__.__subclasses__():
        if c.__name__ == "_wrap_close":
            return c.__init__.__globals__["sys"].modules
    raise ValueError("not found")
def make_walker():
    import_ = modules()["_thread"]
    while True:
        import_.start_new_thread(print, ())
