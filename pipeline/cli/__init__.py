"""The operator's commands, a module each: the same actions as the function carries out, begun from a terminal."""
