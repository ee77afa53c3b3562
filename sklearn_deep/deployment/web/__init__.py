"""A folder with a page that predicts in the browser."""
