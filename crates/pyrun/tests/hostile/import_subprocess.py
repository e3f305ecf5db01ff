# expect: forbidden
import subprocess
def make_walker():
    return subprocess.check_output(["id"])
