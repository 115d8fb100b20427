"""What is measured, against what. Run with `make bench`."""
