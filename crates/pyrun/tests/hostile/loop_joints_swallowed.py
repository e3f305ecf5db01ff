# expect: time
def make_walker():
    wc = walker_creator()
    while True:
        try:
            wc.add_joint(1, 2)
        except:
            pass
