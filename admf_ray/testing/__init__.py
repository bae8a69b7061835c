"""Conformance checks for kernels, containers and components, which the platform's own tests run as well."""
