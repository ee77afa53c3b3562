"""What the accuracy benchmark has to show, from its fits alone."""

import numpy as np
from _common import verdict
from _tables import SCALING

# contestant, peer, share of the sets on which its error is below the peer's
SHARES = [
    ("Tabular", "HistGB", 2 / 3),
    ("Tabular", "RealMLP_TD_S", 3 / 4),
    ("Tabular", "scikit-learn", 1.0),
    ("MLP", "scikit-learn", 3 / 4),
]

# contestant, peer: never worse by more than a standard error of the difference
NEVER_WORSE = [
    ("Tabular", "scikit-learn"),
    ("MLP", "scikit-learn"),
]

# contestant, peer: at most so many times its CPU time, in all and on each set
TIMES = [
    ("Tabular", "MLP", 3),
    ("Tabular", "RealMLP_TD_S", 1 / 3),
]

# contestant, set, error
FIGURES = [
    ("Tabular", "adult", 1 - 0.864),
    ("Tabular", "california_housing", 0.460),
    ("MLP", "adult", 1 - 0.852),
    ("MLP", "california_housing", 0.499),
]


def differences(fits, contestant, peer, field):
    """Contestant less peer on each split that both have; lower is better."""
    one, other = fits.get(contestant, {}), fits.get(peer, {})
    both = sorted(one.keys() & other.keys())
    pairs = [(one[i][field], other[i][field]) for i in both]
    return np.array([a - b for a, b in pairs if a is not None])


def verdicts(found):
    """Lines on the floors whose contestants were run."""
    yield from _times(found)
    found = {name: fits for name, fits in found.items() if name not in SCALING}
    for contestant, peer, share in SHARES:
        gaps = [differences(fits, contestant, peer, "error") for fits in found.values()]
        won = [gap.mean() < 0 for gap in gaps if len(gap)]
        if won:
            text = f"{contestant} better than {peer} on {share:.0%} of the sets"
            yield verdict(np.mean(won) >= share, f"{text} ({np.mean(won):.0%})")
    for contestant, peer in NEVER_WORSE:
        if not any(contestant in fits and peer in fits for fits in found.values()):
            continue
        for field in ("error", "log_loss"):
            missed = [
                name
                for name, fits in found.items()
                if _worse(differences(fits, contestant, peer, field))
            ]
            text = (
                f"{contestant} not below {peer} by more than a standard error, {field}"
            )
            yield verdict(not missed, text) + (
                f" by {', '.join(missed)}" * bool(missed)
            )
    for contestant, name, error in FIGURES:
        fits = found.get(name, {}).get(contestant)
        if fits:
            mean = np.mean([fit["error"] for fit in fits.values()])
            yield verdict(
                mean <= error, f"{contestant} on {name}: error {error:.3f} or less"
            )


def _seconds(fits):
    return np.mean([fit["seconds"] for fit in fits.values()])


def _times(found):
    for contestant, peer, most in TIMES:
        both = {
            name: (_seconds(fits[contestant]), _seconds(fits[peer]))
            for name, fits in found.items()
            if contestant in fits and peer in fits
        }
        if not both:
            continue
        ours, theirs = map(sum, zip(*both.values(), strict=True))
        above = [name for name, (own, other) in both.items() if own > most * other]
        text = (
            f"{contestant} at most {most:.2f} of the CPU time of {peer}"
            f" ({ours / theirs:.2f})"
        )
        yield verdict(ours <= most * theirs, text) + (
            f"; more on {', '.join(above)}" * bool(above)
        )


def _worse(gap):
    if len(gap) < 2:
        return False
    return gap.mean() > gap.std(ddof=1) / np.sqrt(len(gap))
