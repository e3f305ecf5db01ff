# expect: no-entry
def other():
    return 1
