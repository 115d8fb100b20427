"""The only door to an org: sign-in, errors, describe, SOQL, REST and Bulk API 2.0 reads."""
