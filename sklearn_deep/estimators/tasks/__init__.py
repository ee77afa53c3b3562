"""What a network predicts for each kind of task: public methods of the estimators."""
