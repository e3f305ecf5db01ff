import math
import numpy as np
import walk_creator
from walk_creator import walker_creator, query_cppn


class walker_creator:
    def add_joint(self, x, y): ...
    def add_muscle(self, j0, j1, rigid=True, amplitude=0.0, phase=0.0): ...
    def get_walker(self): ...


def query_cppn(wc, xgrid, ygrid, scale, connect, amp, phase): ...


math.pi, math.sin, math.cos, math.tan, math.sqrt, math.floor, math.ceil, math.exp, np.sign
