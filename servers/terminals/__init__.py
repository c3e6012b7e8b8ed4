"""A terminal to a server in the browser (SRV-8): `permits` (the customer lets the panel in), `sessions` (who opened one
and until when), `line` (the shell over SSH), `screen` (what it shows), `keyboard` (what is typed)."""
