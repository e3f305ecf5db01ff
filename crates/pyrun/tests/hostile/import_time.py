# expect: forbidden
import time
def make_walker():
    time.sleep(1000)
