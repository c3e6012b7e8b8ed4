"""Django's PostgreSQL backend with a check of health that costs no question to the server."""
