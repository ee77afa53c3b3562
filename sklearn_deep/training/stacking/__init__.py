"""Jobs of several threads trained as one network: joblib backend ``"stacked"``."""
