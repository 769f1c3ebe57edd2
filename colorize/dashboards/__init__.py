"""Dashboards as code: the W&B workspace that compares the networks, and a report on the same runs."""
