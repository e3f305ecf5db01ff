# expect: forbidden
import ctypes
def make_walker():
    return ctypes.string_at(0)
