# expect: forbidden
import no_such_module_anywhere
def make_walker():
    return 1
