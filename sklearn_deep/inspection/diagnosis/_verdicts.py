"""What the evidence says, one function a verdict; each rests on a test."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from scipy.stats import chi2

from sklearn_deep.inspection._power_law import PowerLaw
from sklearn_deep.inspection.diagnosis._evidence import Evidence
from sklearn_deep.inspection.diagnosis._paired import Difference, corrected, paired

# A verdict holds from this confidence on.
LEVEL = 0.9

# Scores of folds or seeds are unstable where they vary by more than so many times what the
# choice of test rows explains.
_RATIO = 1.5

# Rows at which a curve is at its limit, as a multiple of those there are.
_LIMIT = 1e6


@dataclass(frozen=True)
class Verdict:
    """One statement about a model.

    Attributes
    ----------
    name : str
        Key of ``VERDICTS``.
    confidence : float
        In [0, 1].
    because : str
        The numbers behind it.
    gain : float
        Score that what it calls for is expected to gain; 0 where it calls for nothing.
    """

    name: str
    confidence: float
    because: str
    gain: float = 0.0

    @property
    def holds(self) -> bool:
        """Whether the evidence is enough."""
        return self.confidence >= LEVEL


@dataclass(frozen=True)
class Case:
    """The evidence with what several verdicts ask of it."""

    evidence: Evidence
    law: PowerLaw | None

    @classmethod
    def of(cls, evidence: Evidence) -> "Case":
        """Fit the learning curve once."""
        return cls(evidence, evidence.law())

    def gains(self, *remedies: str) -> dict[str, Difference]:
        """What the changes of these kinds gain; of any kind without one."""
        return {
            name: self.evidence.gain(name)
            for name, (change, _) in self.evidence.changed.items()
            if change.remedy in remedies or not remedies
        }

    def best(self, *remedies: str) -> tuple[str, Difference, float]:
        """The best change: its name, what it gains, and the confidence in a gain.

        Of those that certainly gain the one that gains most, else the most certain one.
        """
        gains = self.gains(*remedies)
        if not gains:
            return "", Difference(0.0, 0.0, 1.0), 0.0
        sure = {
            n: corrected(g.probability_above(), len(gains)) for n, g in gains.items()
        }
        certain = [name for name in gains if sure[name] >= LEVEL]
        name = max(
            certain or gains, key=lambda n: gains[n].mean if certain else sure[n]
        )
        return name, gains[name], sure[name]

    def fits_better(self, name: str) -> float:
        """Confidence that a change improves the score of the training rows too."""
        scores, base = self.evidence.changed[name][1], self.evidence.base
        of_base = base.train[: len(scores.train)]
        gain = paired(scores.train, of_base, self.evidence.test_share)
        return gain.probability_above()

    def worth(self) -> float:
        """A difference of scores that matters: half a standard error of the score."""
        return self.evidence.error() / 2


def _shown(gain: Difference) -> str:
    return f"{gain.mean:+.3g} ± {gain.error:.2g}"


def _over(case: Case) -> Verdict:
    evidence, gap = case.evidence, case.evidence.gap()
    name, gain, sure = case.best("regularise")
    if sure < LEVEL and "linear" in evidence.references:  # the simplest model of all
        simple = evidence.gain("linear")
        if simple.probability_above() > sure:
            name, gain, sure = "linear model", simple, simple.probability_above()
    because = f"training rows score {_shown(gap)} better than rows left out"
    if name:
        because += f"; {name}: {_shown(gain)}"
    sure = min(sure, gap.probability_above())
    return Verdict("overfitting", sure, because, gain.mean)


def _under(case: Case) -> Verdict:
    name, gain, sure = case.best("enlarge")
    because = f"{name}: {_shown(gain)}" if name else "nothing could be enlarged"
    found = Verdict("underfitting", sure, because, gain.mean)
    if "boosting" not in case.evidence.references:
        return found
    rival, gap = case.evidence.gain("boosting"), case.evidence.gap()
    if gap.mean >= rival.mean or sure >= LEVEL:
        return found
    because = (
        f"boosting: {_shown(rival)}, and training rows score no better than others"
    )
    return Verdict("underfitting", rival.probability_above(), because, rival.mean)


def _from_change(verdict: str, remedy: str) -> Callable[[Case], Verdict]:
    def judge(case: Case) -> Verdict:
        name, gain, sure = case.best(remedy)
        if not name:
            return Verdict(verdict, 0.0, "it could not be changed")
        # A network that only fits its training rows less well was not trained badly.
        sure = min(sure, case.fits_better(name))
        return Verdict(verdict, sure, f"{name}: {_shown(gain)}", gain.mean)

    return judge


def _more_data(case: Case) -> Verdict:
    sure, because, gain = _twice(case)
    return Verdict("more data would help", sure, because, gain)


def _no_more_data(case: Case) -> Verdict:
    sure, because, _ = _twice(case)
    sure = 1.0 - sure if case.law is not None else 0.0
    return Verdict("more data would not help", sure, because)


def _twice(case: Case) -> tuple[float, str, float]:
    """Confidence in a gain that matters from twice the rows, and its interval."""
    if case.law is None:
        return 0.0, "there is no learning curve", 0.0
    n = case.law.last
    gain, low, high = case.law.gain(n, 2 * n)
    sure = case.law.probability_of_gain(n, 2 * n, case.worth())
    return sure, f"twice the rows: {gain:+.3g} ({low:+.2g} to {high:+.2g})", gain


def _noisy(case: Case) -> Verdict:
    name, evidence = "labels too noisy for a better score", case.evidence
    constant = evidence.references.get("constant")
    if case.law is None or np.isnan(evidence.perfect) or constant is None:
        return Verdict(name, 0.0, "the ceiling is not known")
    low, high = case.law.interval(_LIMIT * case.law.last)
    unavoidable = low / max(evidence.perfect - constant.test.mean(), 1e-12)
    better = max(
        [sure for _, _, sure in (case.best(),)]
        + [evidence.gain(k).probability_above(case.worth()) for k in _rivals(evidence)]
    )
    because = (
        f"the ceiling is {evidence.perfect - high:.3g} to {evidence.perfect - low:.3g},"
        f" and {evidence.base.test.mean():.3g} is reached"
    )
    near = case.law.probability_of_gain(
        case.law.last, _LIMIT * case.law.last, 2 * evidence.error()
    )
    sure = (1.0 - better) * (1.0 - near) if unavoidable > _UNAVOIDABLE else 0.0
    return Verdict(name, sure, because)


# Share of a constant's error that no number of rows removes.
_UNAVOIDABLE = 0.2


def _rivals(evidence: Evidence) -> Iterable[str]:
    return [name for name in evidence.references if name != "constant"]


def _unstable(case: Case) -> Verdict:
    base = case.evidence.base
    chance = _RATIO * base.chance
    because = "too few test rows to tell"
    if not chance.all():
        return Verdict("unstable across folds or seeds", 0.0, because)
    n = len(base.test)
    folds = (((base.test - base.test.mean()) / chance) ** 2).sum()
    seeds = (((case.evidence.reseeded.test - base.test) / chance) ** 2).sum() / 2
    sure = corrected(max(chi2.cdf(folds, n - 1), chi2.cdf(seeds, n)), 2)
    of_seeds = np.sqrt(((case.evidence.reseeded.test - base.test) ** 2).mean() / 2)
    because = (
        f"standard deviations: folds {base.test.std(ddof=1):.2g}, seeds {of_seeds:.2g},"
        f" test rows {base.chance.mean():.2g}"
    )
    return Verdict("unstable across folds or seeds", float(sure), because)


def _good(case: Case) -> Verdict:
    evidence, worth = case.evidence, 2 * case.evidence.error()
    gains = [*case.gains().values(), *map(evidence.gain, _rivals(evidence))]
    no_better = min([1.0 - g.probability_above(worth) for g in gains], default=0.0)
    if "constant" in evidence.references:
        over = paired_against_constant(evidence).probability_above()
        no_better = min(no_better, over)
    tried = f"none of {len(gains)} changes and other models gains more than {worth:.2g}"
    return Verdict("good fit", no_better, tried)


def paired_against_constant(evidence: Evidence) -> Difference:
    """By how much the model is better than a constant."""
    gain = evidence.gain("constant")
    return Difference(-gain.mean, gain.error, gain.dof)


# A larger network learns more in the same few steps: where these explain half of what it
# gains, the training is what is wrong.
TRAINING = {
    "not trained long enough": "train longer",
    "learning rate too high": "rate down",
    "learning rate too low": "rate up",
}

# Verdicts on what is wrong call for a change; the others say what is known beside.
FAULTS: tuple[Callable[[Case], Verdict], ...] = (
    _over,
    _under,
    *(_from_change(name, remedy) for name, remedy in TRAINING.items()),
)
REMARKS: tuple[Callable[[Case], Verdict], ...] = (
    _good,
    _more_data,
    _no_more_data,
    _noisy,
    _unstable,
)


def judge(evidence: Evidence) -> tuple[list[Verdict], Verdict | None]:
    """All verdicts, and the one that counts most; None where nothing is certain."""
    case = Case.of(evidence)
    faults = [rule(case) for rule in FAULTS]
    remarks = [rule(case) for rule in REMARKS]
    verdicts = sorted(faults + remarks, key=lambda v: -v.confidence)
    matter = [f for f in faults if f.holds and f.gain >= case.worth()]
    return verdicts, _main(matter, remarks)


def _main(faults: list[Verdict], remarks: list[Verdict]) -> Verdict | None:
    if faults:
        most = max(fault.gain for fault in faults)
        trained = [f for f in faults if f.name in TRAINING and f.gain >= most / 2]
        return max(trained or faults, key=lambda fault: fault.gain)
    said = {remark.name: remark for remark in remarks if remark.holds}
    for name in ("labels too noisy for a better score", "good fit"):
        if name in said:
            return said[name]
    return None
