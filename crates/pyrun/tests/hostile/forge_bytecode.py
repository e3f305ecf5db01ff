# expect: unsupported|exception|forbidden / crashed|exception|time|memory|bad-result|ok
def make_walker():
    def f():
        return 1
    code = f.__code__
    f.__code__ = code.replace(co_code=bytes([100, 255, 90, 255, 1, 0] * 40), co_consts=(), co_names=(), co_stacksize=1)
    return f()
