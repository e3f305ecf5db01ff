# expect: forbidden
import importlib
def make_walker():
    return importlib.import_module("os")
