# expect: exception
make_walker = 3
