# What the first tier puts in the place of operators and builtins that its interpreter does otherwise than CPython. Each
# gives CPython's answer or raises, and what it raises hands the program over. Texts of programs are rewritten to call
# them (`exact.rs`), so no name here can stand in a program. `_pyrun_gap` is bound nowhere: the name's absence hands over.
# The first part is there for every program.
import math as _pyrun_math

# the C library's, as a name of its own since an attribute costs more
_pyrun_cpow = _pyrun_math.pow

# their eighth powers are below 2^53
_pyrun_small = range(-98, 99)


# not empty once a key that has equals of another type (1.0, True, a range) may stand in some dict
_pyrun_odd = []


def _pyrun_key(key, container=None):
    # Of equal keys CPython keeps the first. Whole numbers, texts and tuples of them have no equals of another type.
    plain = type(key) is int or type(key) is str
    if type(key) is tuple:
        plain = True
        for part in key:
            if type(part) is not int and type(part) is not str:
                plain = False
    if plain and not _pyrun_odd:
        return key
    if type(container) is not dict:
        _pyrun_gap()
    if not plain:
        _pyrun_odd.append(1)
    if key in container:
        for first in container:
            if first == key:
                return first
    return key


# what follows is there where it is needed


# Whole numbers stay where floats hold them exactly: beyond, CPython divides and converts otherwise.
def _pyrun_mul(a, b):
    x = a * b
    return x if type(x) is float or -9007199254740992 < x < 9007199254740992 else _pyrun_gap()


def _pyrun_div(a, b):
    if (type(a) is float or -9007199254740992 < a < 9007199254740992) and (type(b) is float or -9007199254740992 < b < 9007199254740992):
        return a / b
    _pyrun_gap()


def _pyrun_floordiv(a, b):
    if type(a) is int and type(b) is int:
        return a // b
    if (type(a) is not float and type(a) is not int) or (type(b) is not float and type(b) is not int):
        _pyrun_gap()
    # CPython's float_divmod
    mod = _pyrun_math.fmod(a, b)
    div = (a - mod) / b
    if mod and (b < 0.0) != (mod < 0.0):
        div = div - 1.0
    if div - div != 0.0 or mod - mod != 0.0:
        _pyrun_gap()
    if not div:
        return _pyrun_math.copysign(0.0, a / b)
    floor = float(_pyrun_math.floor(div))
    return floor + 1.0 if div - floor > 0.5 else floor


def _pyrun_pow(a, b):
    if type(a) is int and type(b) is int:
        if not (-1100 < b < 1100 and -9007199254740992 < a < 9007199254740992):
            _pyrun_gap()
        if b >= 0 or a == 0:
            x = a**b
            return x if -9007199254740992 < x < 9007199254740992 else _pyrun_gap()
    elif (type(a) is not float and type(a) is not int) or (type(b) is not float and type(b) is not int):
        _pyrun_gap()
    if a == 0 and b < 0:
        return a**b
    if a < 0 and b % 1 != 0:
        _pyrun_gap()
    x = _pyrun_cpow(a, b)
    return x if x - x == 0.0 else _pyrun_gap()


def _pyrun_pow_numpy(a, b):
    # whole numbers of numpy have no negative powers
    if b < 0:
        _pyrun_gap()
    return _pyrun_pow(a, b)


def _pyrun_caught(kinds=None):
    # stands where a handler is chosen: what an exception means is for CPython to say
    _pyrun_gap()


def _pyrun_divmod(a, b):
    if type(a) is int and type(b) is int:
        return (a // b, a % b)
    _pyrun_gap()


def _pyrun_round(number, ndigits=None):
    if type(number) is int and (ndigits is None or (type(ndigits) is int and ndigits >= 0)):
        return number
    if type(number) is float and ndigits is None:
        return round(number)
    _pyrun_gap()


def _pyrun_sum(values, start=0):
    # the sum of floats depends on CPython's version
    if type(start) is not int:
        _pyrun_gap()
    for value in values:
        if type(value) is not int:
            _pyrun_gap()
        start = start + value
    return start


def _pyrun_str(x):
    if type(x) is int or type(x) is float or type(x) is str or type(x) is bool or x is None:
        return str(x)
    _pyrun_gap()


def _pyrun_dict(*pairs, **names):
    if len(pairs) > 1:
        _pyrun_gap()
    result = {}
    for pair in pairs:
        if type(pair) is dict:
            result = dict(pair)
        else:
            for key, value in pair:
                result[_pyrun_key(key, result)] = value
    for name in names:
        result[name] = names[name]
    return result


class _pyrun_enumerate:
    def __init__(self, iterable, start=0):
        if type(start) is not int:
            _pyrun_gap()
        self._pyrun_values = iter(iterable)
        self._pyrun_count = start - 1

    def __iter__(self):
        return self

    def __next__(self):
        value = next(self._pyrun_values)
        self._pyrun_count = self._pyrun_count + 1
        return (self._pyrun_count, value)


class _pyrun_zip:
    def __init__(self, *iterables):
        self._pyrun_all = [iter(x) for x in iterables]

    def __iter__(self):
        return self

    def __next__(self):
        if not self._pyrun_all:
            raise StopIteration
        values = []
        for one in self._pyrun_all:
            values.append(next(one))
        return tuple(values)


class _pyrun_map:
    def __init__(self, function, first, *more):
        self._pyrun_function = function
        self._pyrun_first = iter(first)
        self._pyrun_more = [iter(x) for x in more]

    def __iter__(self):
        return self

    def __next__(self):
        values = [next(self._pyrun_first)]
        for one in self._pyrun_more:
            values.append(next(one))
        return self._pyrun_function(*values)


class _pyrun_filter:
    def __init__(self, function, iterable):
        self._pyrun_function = function
        self._pyrun_values = iter(iterable)

    def __iter__(self):
        return self

    def __next__(self):
        while True:
            value = next(self._pyrun_values)
            if self._pyrun_function is None:
                if value:
                    return value
            elif self._pyrun_function(value):
                return value


class _pyrun_reversed:
    def __init__(self, values):
        if type(values) is not list and type(values) is not tuple and type(values) is not range and type(values) is not str:
            _pyrun_gap()
        self._pyrun_values = values
        self._pyrun_at = len(values)

    def __iter__(self):
        return self

    def __next__(self):
        self._pyrun_at = self._pyrun_at - 1
        if self._pyrun_at < 0 or self._pyrun_at >= len(self._pyrun_values):
            self._pyrun_at = 0
            raise StopIteration
        return self._pyrun_values[self._pyrun_at]
