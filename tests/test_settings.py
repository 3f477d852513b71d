"""Settings: read once from the environment, every problem reported at once, secrets never among them."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from pipeline.errors import SettingsInvalid
from pipeline.settings import HERE, Settings, from_environment

LEAST = {
    "GOOGLE_CLOUD_PROJECT": "psp",
    "BIGQUERY_DATASET": "amazon_pspp",
    "ARCHIVE_BUCKET": "archive",
    "RECORDS_BUCKET": "records",
    "TOPIC": "amazon-pspp",
    "REJECTED_TOPIC": "amazon-pspp-rejected",
    "SFTP_HOST": "sftp.example.com",
    "SFTP_USER": "psp",
}


def problems(**values: str) -> str:
    """What is said of an environment with these values beside the least."""
    with pytest.raises(SettingsInvalid) as caught:
        from_environment({**LEAST, **values})
    return caught.value.message


def test_the_least_environment_is_enough_and_the_rest_has_defaults() -> None:
    settings = from_environment(LEAST)
    assert (settings.sftp_port, settings.sftp_publish, settings.pgp_sign) == (22, "direct", True)
    assert settings.contracts_directory == HERE / "contracts"
    assert settings.warehouse == "psp.amazon_pspp"


def test_the_tables_may_be_in_another_project() -> None:
    assert from_environment({**LEAST, "BIGQUERY_PROJECT": "warehouse"}).warehouse == "warehouse.amazon_pspp"


def test_every_missing_variable_is_named_at_once() -> None:
    with pytest.raises(SettingsInvalid) as caught:
        from_environment({})
    assert all(f"  {name}: is not set\n" in caught.value.message for name in LEAST)


def test_missing_and_malformed_variables_are_reported_together() -> None:
    with pytest.raises(SettingsInvalid) as caught:
        from_environment({**LEAST, "TOPIC": "", "SFTP_PORT": "ssh", "PGP_SIGN": "perhaps", "MAX_PART_ROWS": "0"})
    lines = [line.strip() for line in caught.value.message.splitlines()]
    assert lines[0] == "The environment is not complete:"
    assert {line.partition(":")[0] for line in lines[1:]} == {"TOPIC", "SFTP_PORT", "PGP_SIGN", "MAX_PART_ROWS"}


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("SFTP_PORT", "0", "greater than or equal to 1"),
        ("SFTP_PORT", "65536", "less than or equal to 65535"),
        ("SFTP_PUBLISH", "append", "'direct' or 'rename'"),
        ("PGP_COMPRESSION", "zlib", "match pattern"),
        ("PGP_COMPRESSION", "zlib:10", "match pattern"),
        ("PGP_COMPRESSION", "none --cipher-algo 3DES", "match pattern"),
        ("TIME_BUDGET_SECONDS", "9", "greater than or equal to 10"),
        ("TIME_BUDGET_SECONDS", "3600", "less than or equal to 3500"),
        ("TIME_BUDGET_SECONDS", "540s", "valid integer"),
        ("MAX_PART_BYTES", "-1", "greater than or equal to 1"),
        ("TIME_TRAVEL_HOURS", "169", "less than or equal to 168"),
        ("RETURNS_ERROR_PATTERN", "(err", "is not a regular expression"),
        ("CONTRACTS_DIRECTORY", "/nowhere/at/all", "/nowhere/at/all is not a directory"),
        ("RETURNS_HOST", "returns.example.com", "RETURNS_USER is needed too"),
    ],
)
def test_a_malformed_variable_is_named_with_what_it_may_be(name: str, value: str, reason: str) -> None:
    said = problems(**{name: value})
    assert reason in said
    assert name in said


@pytest.mark.parametrize("directory", ["", "/", ".", "./", "inbox", "/inbox/", "inbox/.", "inbox/../inbox"])
def test_what_the_partner_returns_is_never_looked_for_where_deliveries_go(directory: str) -> None:
    ours = "inbox" if "inbox" in directory else ""
    place = {"SFTP_DIRECTORY": ours, "RETURNS_HOST": "SFTP.example.com.", "RETURNS_USER": "psp"}
    said = problems(**place, RETURNS_DIRECTORY=directory)
    assert "name the place that deliveries go to" in said


@pytest.mark.parametrize(
    "other", [{"RETURNS_HOST": "other.example.com"}, {"RETURNS_PORT": "23"}, {"RETURNS_USER": "psp-returns"}]
)
def test_another_host_port_user_or_directory_is_another_place(other: dict[str, str]) -> None:
    same = {"RETURNS_HOST": "sftp.example.com", "RETURNS_USER": "psp"}
    assert from_environment({**LEAST, **same, **other}).returns_host
    assert from_environment({**LEAST, **same, "RETURNS_DIRECTORY": "returns"}).returns_host


def test_a_variable_that_is_set_to_nothing_counts_as_absent() -> None:
    settings = from_environment({**LEAST, "SFTP_PORT": "", "PGP_COMPRESSION": "  ", "BIGQUERY_PROJECT": ""})
    assert (settings.sftp_port, settings.pgp_compression) == (22, "zlib:1")


def test_variables_of_others_are_left_alone() -> None:
    assert from_environment({**LEAST, "PATH": "/bin", "K_SERVICE": "share"}) == from_environment(LEAST)


def test_the_environment_of_the_process_is_read_where_none_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in LEAST.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("SFTP_HOST", "other.example.com")
    assert from_environment().sftp_host == "other.example.com"


def test_settings_do_not_change_after_they_were_read() -> None:
    settings = from_environment(LEAST)
    with pytest.raises(ValidationError):
        settings.topic = "other"


def test_every_setting_says_what_it_is_for() -> None:
    assert [name for name, field in Settings.model_fields.items() if not (field.description or "").endswith(".")] == []


def test_no_setting_holds_a_secret_but_the_names_of_secrets() -> None:
    words = ("passphrase", "password", "key", "token")
    named = [name for name in Settings.model_fields if any(word in name.split("_") for word in words)]
    assert named
    assert all(name.endswith("_secret") for name in named)


def test_the_contracts_may_be_elsewhere(tmp_path: Path) -> None:
    assert from_environment({**LEAST, "CONTRACTS_DIRECTORY": str(tmp_path)}).contracts_directory == tmp_path
