# expect: time|exception|memory
import math
def make_walker():
    return math.factorial(10**7) % 7 + math.factorial(10**8) % 7
