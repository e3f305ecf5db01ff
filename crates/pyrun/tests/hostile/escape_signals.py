# expect: unsupported|exception / time
def make_walker():
    try:
        1 / 0
    except ZeroDivisionError as e:
        names = e.__traceback__.tb_frame.f_back.f_globals
    for action in [lambda: names["libc"].timer_delete(None),
                   lambda: names["resource"].setrlimit(names["resource"].RLIMIT_CPU, (1000, 1000)),
                   lambda: names["signal"].signal(names["signal"].SIGALRM, names["signal"].SIG_IGN)]:
        try:
            action()
        except Exception:
            pass
    while True:
        pass
