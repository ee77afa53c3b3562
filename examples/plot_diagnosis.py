"""
=============================
Why is my network not better?
=============================

A network for tumours was trained for three epochs. ``diagnose`` cross-validates it as it
is, with fewer rows and after each change that may help, and says what is wrong.
"""

import matplotlib.pyplot as plt
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_deep import DiagnosisDisplay, MLPClassifier, diagnose

X, y = load_breast_cancer(return_X_y=True)
network = make_pipeline(
    StandardScaler(), MLPClassifier((64,), max_epochs=3, random_state=0)
)
diagnosis = diagnose(network, X, y)
print(diagnosis)

# %%
# Above, the learning curve and its continuation by a power law, beside other models: a linear
# one is far better, so that the rows allow more. Below, what each change gains.
DiagnosisDisplay(diagnosis).plot()
plt.show()

# %%
# The two best changes as a search, and a second diagnosis of what it found.
best = dict(list(diagnosis.suggested_search().items())[:2])
search = GridSearchCV(network, best, scoring="neg_log_loss").fit(X, y)
print(search.best_params_)

after = diagnose(search.best_estimator_, X, y)
DiagnosisDisplay(after).plot()
plt.show()
