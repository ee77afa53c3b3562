"""Networks whose knowledge goes on into other estimators."""
