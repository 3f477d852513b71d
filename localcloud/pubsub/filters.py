"""Which messages a subscription wants: `attributes.k = "v"`, `attributes.k != "v"`, `attributes:k`, joined by AND."""

import re
from collections.abc import Callable, Mapping

from localcloud.pubsub.rpc import not_here

Filter = Callable[[Mapping[str, str]], bool]


def parse(text: str) -> Filter:
    """The filter as a question to a message's attributes; an empty text takes every message.

    Raises: Refused UNIMPLEMENTED for the rest of the language (OR, NOT, hasPrefix).
    """
    terms = [_term(part) for part in re.split(r"\s+AND\s+", text.strip())] if text.strip() else []
    return lambda attributes: all(term(attributes) for term in terms)


def _term(text: str) -> Filter:
    has = re.fullmatch(r'attributes:("?)(?P<key>[\w.-]+)\1', text)
    if has:
        key = has["key"]
        return lambda attributes: key in attributes
    compared = re.fullmatch(r'attributes\.("?)(?P<key>[\w.-]+)\1\s*(?P<op>!?=)\s*"(?P<value>[^"\\]*)"', text)
    if compared is None:
        raise not_here(f"the filter {text!r}")
    name, value, equal = compared["key"], compared["value"], compared["op"] == "="
    return lambda attributes: (attributes.get(name) == value) is equal
