# expect: unsupported / forbidden|exception
def make_walker():
    os = [c for c in ().__class__.__base__.__subclasses__() if c.__name__ == "_wrap_close"][0].__init__.__globals__
    os["execv"]("/bin/sh", ["/bin/sh", "-c", "echo x > CANARY"])
