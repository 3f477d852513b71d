"""Cloud Storage on one machine: the JSON API that google-cloud-storage speaks, over files in one directory.

Started with `python -m localcloud.storage`. What it keeps of the real service: generations, preconditions at the start
and at the close of every upload, checksums, holds, retention, versions, ranges, listings, compose, rewrite and batch.
What it leaves out is answered with 501: access control lists, IAM policies, customer keys, notifications, folders, soft
delete, and the XML API. Lifecycle rules are stored and never acted upon. Credentials are not looked at.

    process.py    the life of a service: ready line, signal, end    errors.py     a refusal and its JSON
    resources.py  what a bucket and an object are, on the wire      rules.py      preconditions, holds, retention
    content.py    bytes into a file, with their checksums           disk.py       the files under the root
    store.py      buckets and generations: the one place of change  listing.py    which names a listing shows
    wire.py       request, answer, headers and ranges               uploads.py    the three ways of uploading
    sessions.py   resumable uploads under way                       objects.py, buckets.py, batch.py   the other calls
    faults.py     failures on demand                                routes.py     which call is which
    server.py     sockets and threads
    conftest.py, bare.py, test_*.py   what is promised above, asked through the real client
"""
