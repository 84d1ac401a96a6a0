"""What the job costs, beside what others would pay for the same rows. See docs/benchmarks.md."""
