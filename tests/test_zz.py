import pytest, requests, logging, http.client
from tests.tenant import Tenant
from tests.test_archive import within
@pytest.mark.parametrize("n", range(8))
def test_x(tenant: Tenant, n: int) -> None:
    b=within(tenant,60)
    tenant.break_storage("", "lose")
    logging.getLogger("urllib3").setLevel(logging.DEBUG)
    r=b.create("a.json", b"ours")
    print(n, r, b.stat("a.json"))
    assert not r
