"""What is known of each sample besides it, from a second source: found by file name, or by order. Imports arrays and images."""
