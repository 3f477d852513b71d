"""Prove from the source that what was there arrived. Its door is `certification.certify`."""
