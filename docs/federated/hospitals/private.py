"""The same with noise: what one hospital has can hardly be told from the network."""

from flwr.clientapp.mod import fixedclipping_mod
from flwr.serverapp import (
    NeighboringRelation,
    PrivacyConfig,
    RdpAccountant,
    SamplingMethod,
)
from flwr.serverapp.strategy import (
    DifferentialPrivacyClientSideFixedClipping,
    FedAvg,
)

from hospitals.apps import load, model
from sklearn_deep import client_app, server_app

accountant = RdpAccountant(
    PrivacyConfig(
        target_delta=1e-3,
        population_size=3,
        neighboring_relation=NeighboringRelation.ADD_OR_REMOVE_ONE,
        sampling_method=SamplingMethod.NO_AMPLIFICATION,
        max_epsilon=20.0,  # an error ends the training before it is exceeded
    )
)
strategy = DifferentialPrivacyClientSideFixedClipping(
    FedAvg(min_available_nodes=3, min_train_nodes=3, fraction_evaluate=0.0),
    noise_multiplier=1.0,
    clipping_norm=2.0,
    num_sampled_clients=3,
    accountant=accountant,
)


def keep(result):
    """Tell what the training may have given away."""
    print(result.privacy.epsilon, "at delta", result.privacy.delta)


client = client_app(model, load, mods=[fixedclipping_mod])
server = server_app(
    model, strategy, then=keep, owners=3, rounds=8, weighting="equal", random_state=0
)
