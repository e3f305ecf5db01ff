# expect: forbidden
import sys
def make_walker():
    sys.exit(0)
