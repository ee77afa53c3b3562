"""How owners train: one plain value that server and owners have alike."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Plan:
    """Settings of the training by rounds.

    Attributes
    ----------
    seed : int
        Of the fit; seeds of owners and rounds follow from it.
    rounds : int
        Number of rounds that schedules stretch over.
    local_epochs : int
    proximal_mu : float
        Strength of the pull to the weights that the server sent.
    local_norm : bool
        Whether batch normalisation stays with each owner.
    validation_fraction : float
        Share of each owner's rows that it does not train on; 0 for none.
    """

    seed: int
    rounds: int
    local_epochs: int = 1
    proximal_mu: float = 0.0
    local_norm: bool = False
    validation_fraction: float = 0.0
