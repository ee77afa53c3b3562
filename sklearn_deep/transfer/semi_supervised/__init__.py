"""Few labels: networks that learn from rows without a label too."""
