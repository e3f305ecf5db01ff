# expect: bad-result
def make_walker():
    return {"x": float("nan")}
