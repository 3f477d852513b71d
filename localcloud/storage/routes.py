"""Which call is which. What is not listed is refused with 501 and logged, an unknown parameter as well."""

import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import unquote

from localcloud.storage import buckets, objects, uploads
from localcloud.storage.batch import batch
from localcloud.storage.errors import Refused, not_here
from localcloud.storage.rules import CLIENT_SPELLING, CONDITION_NAMES
from localcloud.storage.sessions import Sessions
from localcloud.storage.store import Store
from localcloud.storage.wire import Request, Response, refusal_response

EVERYWHERE = frozenset({"alt", "fields", "key", "prettyPrint", "projection", "quotaUser", "userProject", "uploadType"})
"""Parameters that change nothing here: `fields` and `projection` shorten an answer, the full one is given."""
CONDITIONS = frozenset(f"if{name}" for name in CONDITION_NAMES)
SOURCE = frozenset(f"ifSource{name}" for name in CONDITION_NAMES) | {"sourceGeneration"}
PAGING = frozenset({"maxResults", "pageToken"})
LISTING = PAGING | {"prefix", "delimiter", "startOffset", "endOffset", "matchGlob", "versions"}

Handler = Callable[..., Response]


@dataclass(frozen=True, slots=True)
class Route:
    methods: str
    path: re.Pattern[str]
    handler: Handler
    parameters: frozenset[str]
    needs_sessions: bool = False


def _route(
    methods: str, path: str, handler: Handler, parameters: frozenset[str] = frozenset(), *, needs_sessions: bool = False
) -> Route:
    pattern = re.compile(path.replace("*", "([^/]+)"))
    return Route(methods, pattern, handler, parameters | EVERYWHERE, needs_sessions)


B = "/storage/v1/b"
UPLOAD = f"(?:/resumable)?/upload{B}/*/o"
OBJECT = f"{B}/*/o/*"
ONE = CONDITIONS | {"generation"}
NEW_UPLOAD = CONDITIONS | {"name", "contentEncoding", *CLIENT_SPELLING.values()}
SESSION = CONDITIONS | {"name", "upload_id"}

ROUTES = (
    _route("POST", UPLOAD, uploads.upload, NEW_UPLOAD, needs_sessions=True),
    _route("PUT", UPLOAD, uploads.resume, SESSION, needs_sessions=True),
    _route("DELETE", UPLOAD, uploads.cancel, SESSION, needs_sessions=True),
    _route("GET", f"(?:/download)?{OBJECT}", objects.get_object, ONE),
    _route("PATCH PUT", OBJECT, objects.change_object, ONE),
    _route("DELETE", OBJECT, objects.delete_object, ONE),
    _route("POST", f"{OBJECT}/compose", objects.compose, CONDITIONS),
    _route("POST", f"{OBJECT}/rewriteTo/b/*/o/*", objects.rewrite, CONDITIONS | SOURCE),
    _route("POST", f"{OBJECT}/copyTo/b/*/o/*", objects.copy, CONDITIONS | SOURCE),
    _route("GET", f"{B}/*/o", objects.list_objects, LISTING),
    _route("POST", B, buckets.create_bucket, frozenset({"project"})),
    _route("GET", B, buckets.list_buckets, PAGING | {"project", "prefix"}),
    _route("GET", f"{B}/*", buckets.get_bucket, CONDITIONS),
    _route("PATCH PUT", f"{B}/*", buckets.change_bucket, CONDITIONS),
    _route("DELETE", f"{B}/*", buckets.delete_bucket, CONDITIONS),
    _route("POST", f"{B}/*/lockRetentionPolicy", buckets.lock_retention_policy, CONDITIONS),
)


@dataclass(frozen=True, slots=True)
class Service:
    """The whole API over one store."""

    store: Store
    sessions: Sessions

    def answer(self, request: Request) -> Response:
        """The answer to any request: an error of the service is an answer too. Raises: ClientGone."""
        try:
            if request.method == "POST" and re.fullmatch(r"/batch(/storage/v1)?", request.path):
                return batch(request, self.answer)
            return self._dispatch(request)
        except Refused as refusal:
            if refusal.status == 501:
                print(f"storage: refused {request.method} {request.path}: {refusal.message}", file=sys.stderr)
            return refusal_response(refusal)

    def _dispatch(self, request: Request) -> Response:
        for route in ROUTES:
            found = route.path.fullmatch(request.path)
            if found is None or request.method not in route.methods.split():
                continue
            unknown = sorted(request.query.keys() - route.parameters)
            if unknown:
                raise not_here(f"the parameter {', '.join(unknown)}")
            names = [unquote(part) for part in found.groups()]
            if route.needs_sessions:
                return route.handler(self.store, self.sessions, request, *names)
            return route.handler(self.store, request, *names)
        raise not_here(f"the call {request.method} {request.path}")
