"""The application: settings, assembly, commands."""
