# expect: unsupported|exception|forbidden / forbidden|exception
def modules():
    # the interpreter's own modules, without a name that is refused
    for c in ().__class__.__base__.__subclasses__():
        if c.__name__ == "_wrap_close":
            return c.__init__.__globals__["sys"].modules
    raise ValueError("not found")
def make_walker():
    m = modules()
    posix, signal, resource = m["posix"], m["_signal"], m["resource"]
    parent = 1
    worst = None
    for action in [lambda: posix.kill(parent, 19), lambda: posix.killpg(0, 19), lambda: signal.raise_signal(19),
                   lambda: signal.pthread_kill(m["_thread"].get_ident(), 19), lambda: signal.pidfd_send_signal(1, 19),
                   lambda: resource.prlimit(parent, 0, (0, 0)), lambda: posix.setpriority(0, 0, 19),
                   lambda: posix.sched_setaffinity(parent, {0}), lambda: signal.setitimer(0, 1), lambda: signal.alarm(1),
                   lambda: posix.setsid(), lambda: posix.nice(19)]:
        try:
            action()
        except (OSError, AttributeError) as e:
            worst = e
    raise worst
