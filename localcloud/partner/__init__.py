"""The partner's SFTP server in two makes: AWS Transfer Family in front of S3, and OpenSSH."""
