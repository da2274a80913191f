"""Score following in sheet images as a reinforcement learning game (ISMIR 2018, arXiv 1807.06391).

The Python API, each function with an example in its docstring:

* `load_agent`, `shipped_agents`: trained agents, which act on gymnasium observations;
* `load_pieces`, `load_score`, `evaluate`, `follow`: play them on pieces, or on a score of one's own;
* `make_env`, `make_vec`: the game as gymnasium environments, also registered as "ScoreFollowing-v0" (observations are pairs)
  and "ScoreFollowing-v1" (dicts).

Names are imported when they are first used, so that `import score_following_game` is quick.
"""

import os
from typing import TYPE_CHECKING, Any

from score_following_game.environment.registration import register_environments

if TYPE_CHECKING:
    from score_following_game.agents.shipped import shipped_agents
    from score_following_game.api.agent import LoadedAgent, load_agent
    from score_following_game.api.environments import make_env, make_vec
    from score_following_game.api.evaluation import evaluate
    from score_following_game.api.following import Moment, follow
    from score_following_game.api.pieces import load_pieces
    from score_following_game.api.scores import load_score
    from score_following_game.config import GameConfig, load_game_config
    from score_following_game.data_processing.piece import Piece
    from score_following_game.errors import UserError
    from score_following_game.evaluation.results import Results

# Before torch is loaded: its threads spin for work some 20 microseconds, not milliseconds, then sleep. That costs nothing on a
# quiet machine and keeps training from collapsing beside another busy program (docs/performance.md).
os.environ.setdefault("GOMP_SPINCOUNT", "20000")

__version__ = "0.1.0"

register_environments()

_OFFERED = {  # name -> the module it lives in
    "GameConfig": "config",
    "LoadedAgent": "api.agent",
    "Moment": "api.following",
    "Piece": "data_processing.piece",
    "Results": "evaluation.results",
    "UserError": "errors",
    "evaluate": "api.evaluation",
    "follow": "api.following",
    "load_agent": "api.agent",
    "load_game_config": "config",
    "load_pieces": "api.pieces",
    "load_score": "api.scores",
    "make_env": "api.environments",
    "make_vec": "api.environments",
    "shipped_agents": "agents.shipped",
}

__all__ = [
    "GameConfig",
    "LoadedAgent",
    "Moment",
    "Piece",
    "Results",
    "UserError",
    "evaluate",
    "follow",
    "load_agent",
    "load_game_config",
    "load_pieces",
    "load_score",
    "make_env",
    "make_vec",
    "shipped_agents",
]


def __getattr__(name: str) -> Any:
    if name not in _OFFERED:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}; it offers {', '.join(__all__)}")
    import importlib

    return getattr(importlib.import_module(f"{__name__}.{_OFFERED[name]}"), name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
