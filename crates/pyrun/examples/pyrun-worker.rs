//! A worker process for the tests and the benchmark.

fn main() {
    pyrun::worker_main()
}
