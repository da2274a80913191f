"""Watch a trained agent follow a piece: in a window with sound, or as a film (--video)."""

import argparse
import random
from pathlib import Path

from score_following_game.agents.agents import TrainedAgent
from score_following_game.agents.loading import load_trained_agent, resolve_network_and_config
from score_following_game.command_line import Parser, add_machine_arguments, script
from score_following_game.environment.rendering.video import require_filmable
from score_following_game.environment.rendering.window import has_display
from score_following_game.errors import UserError
from score_following_game.evaluation.alignment_plots import plot_alignment
from score_following_game.evaluation.plots import episode_picture, plot_episode, require_plottable
from score_following_game.evaluation.saliency_film import write_saliency_film
from score_following_game.machine import prepare_machine
from score_following_game.watching.setup import add_watching_arguments, game_of, load_one_piece, perform


def parse_arguments() -> argparse.Namespace:
    parser = Parser(description=__doc__)
    parser.add_argument(
        "--params",
        metavar="FILE.pt",
        help="the agent's parameters, for instance "
        "PARAM_ROOT/RUN/best_model.pt, or the short name of an agent that comes with the project: nottingham",
    )
    parser.add_argument("--net", help="network (default: the one the parameters' run folder tells)")
    parser.add_argument("--game_config", help="game config (default: the one the parameters' run folder tells)")
    add_watching_arguments(parser)
    parser.add_argument("--dump_images", action="store_true", help="write video_frames/%%06d.png; old ones are deleted first")
    parser.add_argument(
        "--plot",
        metavar="FILE.png",
        help="write the plot of positions, error, speed, actions and policy "
        "(default: beside the film, and shown in the window at the end)",
    )
    parser.add_argument(
        "--alignment", metavar="FILE.png", help="write the plot of where in the music the agent was and of its tempo"
    )
    parser.add_argument(
        "--saliency",
        metavar="FILE.mp4",
        help="write a film, after the game, of what in sheet and sound each decision rested on (integrated gradients)",
    )
    parser.add_argument("--deterministic", action="store_true", help="take the likeliest action (default: sample, as in 2018)")
    add_machine_arguments(parser, seed=None)
    return parser.parse_args()


def require_outputs(args: argparse.Namespace) -> str | Path | None:
    """Refuse now what could not be written after the game -> where the plot goes."""
    require_plottable(args.plot)
    require_plottable(args.alignment, "--alignment")
    if args.saliency is not None:
        require_filmable(args.saliency)
    plot = args.plot or (Path(args.video).with_suffix(".png") if args.video else None)
    names = [Path(name).absolute() for name in (args.video, plot, args.alignment, args.saliency) if name]
    if len(set(names)) < len(names):
        raise UserError(
            "--video, --plot (else beside the film), --alignment and --saliency: two of them are one file; name another"
        )
    return plot


def _watch(args: argparse.Namespace) -> None:
    if not args.params:
        raise UserError(
            "--params is missing: the agent's parameters, for instance --params nottingham, which comes with "
            "the project, or --params PARAM_ROOT/RUN/best_model.pt; sf_experiment.py trains one"
        )
    plot = require_outputs(args)
    seed = random.randrange(2**32) if args.seed is None else args.seed
    prepare_machine(seed, args.device, args.threads)
    net, config = resolve_network_and_config(args.params, args.net, args.game_config)
    agent = load_trained_agent(args.params, net, config, seed=seed, device=args.device, deterministic=args.deterministic)
    if args.saliency and not isinstance(agent, TrainedAgent):
        raise UserError("--saliency: tells what decided among actions; a localisation agent chooses none")
    piece = load_one_piece(args.data_set, config, args.piece, seed)
    print(f"Tracking piece: {piece.name}", flush=True)
    game = game_of(piece, agent.rules(config), args.device)
    written = args.plot or args.alignment or args.saliency
    episode = perform(
        game,
        agent,
        args.video,
        args.dump_images,
        sound=not args.no_sound,
        finale=episode_picture,
        unseen=written is not None and not has_display(),
    )
    print(f"Total reward {int(episode.score)}")
    if not episode.frames:
        return
    if plot:
        plot_episode(episode, plot)
    if args.alignment:
        plot_alignment(episode, piece, args.alignment)
    if args.saliency:
        write_saliency_film(episode, game.bank, agent.network, args.saliency, sound=not args.no_sound)


def main() -> None:
    """The command: a user's mistake is one line on stderr and exit code 2."""
    with script():
        _watch(parse_arguments())


if __name__ == "__main__":
    main()
