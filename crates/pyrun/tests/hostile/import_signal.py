# expect: forbidden
import signal
def make_walker():
    signal.alarm(0)
