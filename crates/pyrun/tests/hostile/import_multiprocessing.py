# expect: forbidden
from multiprocessing import Process
def make_walker():
    Process().start()
