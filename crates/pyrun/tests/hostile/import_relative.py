# expect: forbidden
from . import secrets
def make_walker():
    return 1
