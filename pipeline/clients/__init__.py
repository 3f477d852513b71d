"""The outside systems, one module each, the only importer of its library; errors are mapped where the client is."""
