"""Many runs: fair comparison, statistics, tables."""
