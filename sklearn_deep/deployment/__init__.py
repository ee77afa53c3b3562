"""What brings a fitted pipeline to its users: smaller files, halves, pages."""
