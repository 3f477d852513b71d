import time
from tests.tenant import Tenant

def test_a(tenant: Tenant) -> None:
    slot = tenant.load()
    t=time.monotonic()
    ran = tenant.deliver(slot)
    print(time.monotonic()-t)
    assert ran.error is None, ran
    assert tenant.identical(slot, *tenant.received())
    print(ran.names, tenant.records(slot).keys(), tenant.archived())

def test_b(ordinary: Tenant) -> None:
    t=time.monotonic()
    slot = ordinary.book(internal=4)
    print("book", time.monotonic()-t)
    t=time.monotonic()
    ran = ordinary.deliver(slot)
    print(time.monotonic()-t)
    assert ran.error is None, ran
    assert ordinary.identical(slot, *ordinary.received())
    print(ran.names, ordinary.records(slot).keys(), ordinary.archived())
