"""The model as MLflow keeps it, as its own flavor: `… mlflow_model MODEL FOLDER`.

Without a signature: what is sent is then not checked against one.
"""

import sys

import lightgbm
import mlflow

if __name__ == "__main__":
    mlflow.lightgbm.save_model(lightgbm.Booster(model_file=sys.argv[1]), sys.argv[2])
