"""Streams of any kind in passing: work in background threads, digests, and progress for whoever watches."""
