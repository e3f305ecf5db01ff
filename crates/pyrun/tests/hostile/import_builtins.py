# expect: forbidden
import builtins
def make_walker():
    return builtins.open("/etc/passwd")
