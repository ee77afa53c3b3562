"""Fine-tuning: networks that begin where others ended."""
