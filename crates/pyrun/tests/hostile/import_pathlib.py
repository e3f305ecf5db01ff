# expect: forbidden
from pathlib import Path
def make_walker():
    return Path("/etc/passwd").read_text()
