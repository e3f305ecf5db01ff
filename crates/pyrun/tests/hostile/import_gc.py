# expect: forbidden
import gc
def make_walker():
    return gc.get_objects()
