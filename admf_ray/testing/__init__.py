"""Conformance checks for registered kernels: the platform's own tests and ``+experiment=selfcheck`` run the same."""
