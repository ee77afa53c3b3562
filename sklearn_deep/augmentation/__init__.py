"""A batch in, a batch out: random changes of training rows, drawn from the fit's seed."""
