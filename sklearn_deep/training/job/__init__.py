"""Specs and tables: the job, optimizers, schedules, stopping, seeds, devices."""
