"""Play a piece yourself (the window says how), or watch the optimal agent."""

import argparse
import random

from score_following_game.agents.agents import OptimalAgent
from score_following_game.command_line import Parser, script, warn_without_effect
from score_following_game.config import DEFAULT_GAME_CONFIG, GameConfig, load_game_config
from score_following_game.environment.rendering.video import require_filmable
from score_following_game.errors import UserError
from score_following_game.evaluation.plots import episode_picture
from score_following_game.machine import prepare_machine
from score_following_game.watching.arguments import add_watching_arguments
from score_following_game.watching.games import Games
from score_following_game.watching.record import WatchedGame
from score_following_game.watching.setup import Outputs, game_of, load_one_piece, perform, pieces_in_turn
from score_following_game.watching.summary import report


def make_parser() -> Parser:
    parser = Parser(description=__doc__)
    add_watching_arguments(parser)
    parser.add_argument("--game_config", default=DEFAULT_GAME_CONFIG, help="game config (default %(default)s)")
    parser.add_argument(
        "--agent_type",
        choices=("human", "optimal"),
        default="human",
        help="who plays (default %(default)s); optimal needs a continuous game config",
    )
    parser.add_argument(
        "--keys",
        choices=("window", "pynput"),
        default="window",
        help="read keys from the game's window, or system-wide through pynput (default %(default)s)",
    )
    parser.add_argument("--seed", type=int, default=None, help="seed of the choice of the random piece (default: random)")
    return parser


def check_arguments(args: argparse.Namespace) -> None:
    """Refuse or report options that cannot work, before anything is loaded."""
    if args.video is not None:
        require_filmable(args.video)
    if args.agent_type == "optimal" and args.keys != "window":
        warn_without_effect(f"--keys {args.keys}", "with --agent_type optimal")
    if args.piece is not None and args.seed is not None:
        warn_without_effect("--seed", "with --piece: it only chooses a random piece")


def _play(args: argparse.Namespace) -> None:
    config = load_game_config(args.game_config)
    if args.agent_type == "optimal" and not config.continuous:
        raise UserError(
            f"--agent_type optimal sets its speed freely but {args.game_config} is a discrete game config; "
            "use a continuous one: --game_config game_configs/nottingham_continuous.yaml"
        )
    check_arguments(args)
    seed = random.randrange(2**32) if args.seed is None else args.seed
    prepare_machine(seed, "cpu", threads=1)  # one thread is enough for one game, and leaves the others to the window
    if args.agent_type == "human":
        play_games(args, config, seed)
        return
    piece = load_one_piece(args.data_set, config, args.piece, seed)
    episode = perform(game_of(piece, config), OptimalAgent(), Outputs(args.video), sound=not args.no_sound)
    print_episode(episode)
    report(episode, piece, [args.video] if episode.frames else ())


def play_games(args: argparse.Namespace, config: GameConfig, seed: int) -> None:
    pieces = pieces_in_turn(args.data_set, config, args.piece, seed)
    games = Games(pieces, config, args.video, not args.no_sound, args.keys, plot=episode_picture)
    episodes = 0
    for piece, episode in games.play():
        print_episode(episode)
        report(episode, piece, [args.video] if episode.frames else ())
        episodes += 1
    if not episodes:
        print_episode(None)


def print_episode(episode: WatchedGame | None) -> None:
    """Print the published lines. None: the person left before a game began."""
    steps, score = (len(episode.frames), episode.score) if episode else (0, 0.0)
    print(f"Episode finished after {steps} time steps (avg {score / max(steps, 1):.1f})")
    print(f"Episode reward {int(score)}\n", flush=True)


def main() -> None:
    """Run the command; a user's mistake is one line on stderr and exit code 2."""
    with script():
        _play(make_parser().parse_args())


if __name__ == "__main__":
    main()
