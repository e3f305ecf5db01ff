//! A worker process for the tests and the benchmark.

#[global_allocator]
static ALLOCATOR: pyrun::Metered = pyrun::Metered;

fn main() {
    pyrun::worker_main()
}
