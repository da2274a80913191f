"""Values of --preset: settings tuned by experiment (docs/training_fast.md). The published ones are the defaults."""

from __future__ import annotations

from typing import Any

PRESETS: dict[str, dict[str, Any]] = {
    "fast": {
        "agent": "lookahead",
        "n_worker": 64,
        "t_max": 16,
        "batch_size": 2,
        "discounting": 0.95,
        "gae_lambda": 0.9,
        "temperature": 0.1,
        "final_temperature": 0.015,
        "optim_params": {"lr": 1e-3, "betas": (0.9, 0.999)},
        "final_lr": 2e-5,
        "anneal_steps": 1_500_000,
        "averaging": 0.97,
        "max_grad_norm": 0.5,
        "value_coef": 0.05,
        "random_start": 0.6,
        "prioritized_sampling": True,
        "augment": 1,
        "precision": "auto",
        "eval_interval": 100,
        "eval_trials": 1,
        "log_interval": 20,
    },
    "reading": {
        "agent": "reading",
        "net": "ReadingNet",
        "n_worker": 12,
        "t_max": 16,
        "optim": "AdamW",
        "optim_params": {"lr": 2e-3, "betas": (0.9, 0.99), "weight_decay": 1e-4},
        "final_lr": 4e-5,
        "anneal_steps": 2_000_000,
        "averaging": 0.995,
        "max_grad_norm": 1.0,
        "eval_interval": 500,
        "eval_trials": 1,
        "log_interval": 50,
    },
}
