"""Networks that were trained elsewhere, as fitted estimators of ours; and the way back."""
