# expect: memory
def make_walker():
    raise MemoryError("said so")
