"""Infringements: reports in, cases with their ladder (ABU-1 to ABU-14), enforcement, statements of reasons."""
