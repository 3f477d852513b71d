"""Pub/Sub on one machine, over gRPC, with push as a subscription of one's own does it.

Started with `python -m localcloud.pubsub`. What it keeps of the real service: topics, subscriptions, at-least-once
delivery, pull, streaming pull, push, ack deadlines, backoff, dead letters, ordering keys and
filters. Everything is in memory. What it leaves out is answered UNIMPLEMENTED: exactly-once delivery, snapshots and
seek, schemas, export subscriptions, message transforms, updates of topics. A push carries no OIDC token, credentials
are not looked at, and nothing expires after the retention time.

    message.py    a message and how it looks in a push      filters.py     which messages a subscription wants
    backlog.py    the undelivered messages of one subscription: leases, backoff, order, dead letters
    push.py       the workers that post to an endpoint      broker.py      topics and subscriptions
    publisher.py, subscriber.py   the two gRPC services     rpc.py         gRPC from plain functions
    faults.py     failures on demand                        endpoint.py    somebody to push to, for the tests
"""
