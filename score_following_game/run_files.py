"""File names in a run directory, shared by the code that writes and the code that reads them."""

from __future__ import annotations

SETTINGS_FILE = "config.yaml"
GAME_CONFIG_FILE = "game_config.yaml"
CHECKPOINT_FILE = "checkpoint.pt"
BEST_MODEL_FILE = "best_model.pt"
BEST_SCORE_FILE = "best_model.yaml"
CURVE_FILE = "learning_curve.csv"
