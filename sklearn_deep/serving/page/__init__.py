"""The page on which people ask a model: markup of forms and answers, and its files."""
