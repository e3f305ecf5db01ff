# expect: forbidden
import threading
def make_walker():
    threading.Thread(target=make_walker).start()
