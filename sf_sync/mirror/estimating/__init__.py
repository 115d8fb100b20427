"""What a reading takes, before it is begun: rows, bytes, requests, minutes."""
