# expect: unsupported|exception|forbidden / forbidden|exception
def make_walker():
    exec("import os\nos.listdir('/')", {"__name__": "os"})
