# expect: forbidden
import os
def make_walker():
    return os.listdir("/")
