"""The app of a hospital, which has its rows, and of the server, which has none."""

import pandas as pd
from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from sklearn_deep import MLPClassifier, client_app, save, server_app

columns = make_column_transformer(
    (make_pipeline(SimpleImputer(), StandardScaler()), ["age", "pressure"]),
    (OneHotEncoder(), ["ward"]),
)
network = MLPClassifier((32,), learning_rate=0.01, random_state=0)
model = make_pipeline(columns, network)


def load(context):
    """Read the rows of this hospital, wherever they are."""
    rows = pd.read_csv(context.node_config["rows"])
    return rows.drop(columns="returned"), rows["returned"]


def keep(result):
    """Store the fitted pipeline, and how it came about."""
    save(result.estimator, "model.skd")
    print(result.history)


client = client_app(model, load)
server = server_app(model, "FedProx", then=keep, owners=3, rounds=10, random_state=0)
