# expect: unsupported|exception|forbidden / exception
def make_walker():
    class E(Exception):
        def __str__(self):
            raise SystemExit(3)
        @property
        def __traceback__(self):
            raise KeyboardInterrupt
        @property
        def __class__(self):
            raise MemoryError
    raise E()
