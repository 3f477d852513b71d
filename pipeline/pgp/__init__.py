"""OpenPGP through gpg: keys from secrets, sign and encrypt a stream, and open one again."""
