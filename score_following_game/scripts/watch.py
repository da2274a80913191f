"""Watch a trained agent follow a piece: in a window with sound, or as a film (--video)."""

import argparse
import random
from collections.abc import Callable
from pathlib import Path

from score_following_game.agents.agents import TrainedAgent
from score_following_game.agents.fitting import fitting_agent, require_fitting
from score_following_game.agents.loading import (
    WITHOUT_CHOICE,
    LearntAgent,
    load_trained_agent,
    resolve_network_and_config,
)
from score_following_game.agents.localisation import LocalisationAgent
from score_following_game.agents.reading.agent import ReadingAgent
from score_following_game.agents.reading.finding import Finder
from score_following_game.agents.shipped import shipped_agents
from score_following_game.command_line import (
    Parser,
    add_machine_arguments,
    command_name,
    require_separate_files,
    script,
    warn_without_effect,
)
from score_following_game.config import GameConfig
from score_following_game.data_processing.piece import Piece, untimed
from score_following_game.environment.live import LiveScore
from score_following_game.environment.rendering.display import has_display
from score_following_game.environment.rendering.page_view import require_size
from score_following_game.environment.rendering.video import require_filmable
from score_following_game.environment.score_bank import ScoreBank
from score_following_game.errors import UserError
from score_following_game.evaluation.alignment_plots import plot_alignment
from score_following_game.evaluation.plots import episode_picture, plot_episode, require_plottable
from score_following_game.evaluation.saliency_film import write_saliency_film
from score_following_game.files import require_writable
from score_following_game.machine import prepare_machine
from score_following_game.watching.arguments import (
    DATA_SET,
    add_own_score_arguments,
    add_view_arguments,
    add_watching_arguments,
    live_wish,
    own_score,
)
from score_following_game.watching.listening.performing import Listening, perform_live
from score_following_game.watching.listening.recording import require_recordable
from score_following_game.watching.listening.sources import MicrophoneWish
from score_following_game.watching.own_score import OwnScore, load_prepared
from score_following_game.watching.positions import onsets_path, write_positions
from score_following_game.watching.record import WatchedGame
from score_following_game.watching.setup import Outputs, game_of, load_one_piece, perform, view_of
from score_following_game.watching.summary import report

Heard = Listening | None


def make_parser() -> Parser:
    parser = Parser(description=__doc__)
    parser.add_argument(
        "--params",
        metavar="FILE.pt",
        help="the agent's parameters, for instance PARAM_ROOT/RUN/best_model.pt, "
        "or the short name of an agent that comes with the project, for instance nottingham",
    )
    parser.add_argument("--net", help="network (default: read from the parameters' run folder)")
    parser.add_argument("--game_config", help="game config (default: read from the parameters' run folder)")
    add_watching_arguments(parser)
    add_own_score_arguments(parser)
    parser.add_argument(
        "--find",
        action="store_true",
        help="do not judge the agent: when it is lost, it looks for the music over the whole sheet and goes on there (agents "
        "that read; they always do where nobody knows when the notes are played)",
    )
    add_view_arguments(parser)
    parser.add_argument("--dump_images", action="store_true", help="write video_frames/%%06d.png; earlier ones are deleted")
    parser.add_argument(
        "--plot",
        metavar="FILE.png",
        help="plot position, error, speed, actions and policy over time "
        "(default: beside the film, and shown in the window at the end)",
    )
    parser.add_argument(
        "--csv",
        metavar="FILE.csv",
        help="write where the agent was: a row per frame (time in seconds, page, system, x in pixels of the page, bar, beat), "
        "and to FILE_onsets.csv when it reached each onset",
    )
    parser.add_argument(
        "--alignment", metavar="FILE.png", help="plot the agent's position in the music and its tempo over time"
    )
    parser.add_argument(
        "--saliency",
        metavar="FILE.mp4",
        help="after the game, write a film of how much each part of sheet and sound contributed to each decision "
        "(integrated gradients)",
    )
    parser.add_argument(
        "--deterministic", action="store_true", help="take the most probable action (default: sample, as in 2018)"
    )
    add_machine_arguments(parser, seed=None)
    return parser


def require_outputs(args: argparse.Namespace) -> str | Path | None:
    """Check before the game that every output can be made and written. Returns the path of the plot, None for no plot.

    Raises UserError.
    """
    require_plottable(args.plot)
    require_plottable(args.alignment, "--alignment")
    if args.size is not None:
        require_size(args.size)
    for film in (args.video, args.saliency):
        if film is not None:
            require_filmable(film)
    plot = args.plot or (Path(args.video).with_suffix(".png") if args.video else None)
    tables = {"--csv": args.csv, "the onsets of --csv": onsets_path(args.csv)} if args.csv else {}
    require_writable(*tables.values())
    if args.record:
        require_recordable(args.record)
    audio = args.audio.which if isinstance(args.audio, MicrophoneWish) else args.audio
    require_separate_files(
        {
            "--video": args.video,
            "--plot": plot,
            "--alignment": args.alignment,
            "--saliency": args.saliency,
            "--record": args.record,
            **tables,
        },
        {"--params": args.params, "--game_config": args.game_config, "--score": args.score, "--audio": audio},
    )
    return plot


def check_options(args: argparse.Namespace, agent: LearntAgent) -> None:
    """Refuse or report options that do not apply to the agent."""
    if args.find and not isinstance(agent, ReadingAgent):
        raise UserError("--find: this agent does not read the whole sheet; leave it out, or take an agent that reads")
    if isinstance(agent, TrainedAgent):
        return
    kind = "localisation" if isinstance(agent, LocalisationAgent) else "reading"
    if args.saliency:
        raise UserError(f"--saliency explains choices among actions; a {kind} agent makes none")
    if args.deterministic:
        warn_without_effect("--deterministic", WITHOUT_CHOICE[kind])


def _watch(args: argparse.Namespace) -> None:
    microphone, own = live_wish(args), own_score(args)
    if not args.params and own is None:
        raise UserError(
            f"--params is missing: give an agent that comes with the project ({', '.join(shipped_agents())}), or a parameter "
            f"file, for instance PARAM_ROOT/RUN/best_model.pt; {command_name('sfg-train')} trains an agent"
        )
    plot = require_outputs(args)
    heard = Listening(microphone.source(), args.gain, args.record) if microphone else None
    seed = random.randrange(2**32) if args.seed is None else args.seed
    # One game leaves little to share, and a thread that waits for a busy core delays every step.
    prepare_machine(seed, args.device, args.threads or 1)
    if args.params:
        resolve_network_and_config(args.params, args.net, args.game_config)  # before long work
    params, load = chosen(args, own, seed)
    net, config = resolve_network_and_config(params, args.net, args.game_config)
    agent = load_trained_agent(params, net, config, seed=seed, device=args.device, deterministic=args.deterministic)
    check_options(args, agent)
    piece = load(config)
    require_fitting([piece], config, params)
    print(f"Tracking piece: {piece.name}", flush=True)
    show(args, piece, agent, config, plot, heard)


def chosen(args: argparse.Namespace, own: OwnScore | None, seed: int) -> tuple[str, Callable[[GameConfig], Piece]]:
    """The agent's parameters, and how the piece is loaded for its game."""
    if own is None:
        live = isinstance(args.audio, MicrophoneWish)
        return args.params, lambda config: load_one_piece(args.data_set or DATA_SET, config, args.piece, seed, live)
    prepared, tempo, live = own.prepare(), own.tempo, own.live
    params = args.params or fitting_agent(prepared.height, str(own.score))
    return params, lambda config: load_prepared(prepared, config, tempo, live)


def played(
    args: argparse.Namespace, piece: Piece, agent: LearntAgent, config: GameConfig, heard: Heard
) -> tuple[WatchedGame, Piece, ScoreBank]:
    """The record of the game, the piece as it was played, and the bank that holds it."""
    if args.find and heard is None:
        piece = untimed(piece)
    searcher = Finder(agent) if isinstance(agent, ReadingAgent) and (heard is not None or not piece.timed) else None
    written = args.plot or args.alignment or args.saliency or args.csv or args.record
    unseen, view = written is not None and not has_display(), view_of(piece, config, args.view, args.size)
    outputs = Outputs(args.video, args.dump_images, episode_picture, unseen, view)
    if heard is None:
        game = game_of(piece, agent.rules(config), args.device)
        return perform(game, agent, outputs, sound=not args.no_sound, searcher=searcher), piece, game.bank
    live = LiveScore.of_piece(piece, agent.rules(config), device=args.device)
    return *perform_live(piece, live, agent, heard, outputs, searcher), live.bank


def show(
    args: argparse.Namespace, piece: Piece, agent: LearntAgent, config: GameConfig, plot: str | Path | None, heard: Heard
) -> None:
    """Have the agent follow the piece, and write what the arguments ask for. heard: what of it is heard live."""
    episode, piece, bank = played(args, piece, agent, config, heard)
    if episode.judged:
        print(f"Total reward {int(episode.score)}")
    if not episode.frames:
        report(episode, piece, [args.video, args.record])
        return
    if plot:
        plot_episode(episode, plot)
    if args.csv:
        write_positions(episode, piece, args.csv)
    if args.alignment and not episode.judged:
        warn_without_effect("--alignment", "where it is not known when the notes are played")
        args.alignment = None
    if args.alignment:
        plot_alignment(episode, piece, args.alignment)
    if args.saliency and isinstance(agent, TrainedAgent):
        write_saliency_film(episode, bank, agent.network, args.saliency, sound=not args.no_sound)
    pictures = "video_frames/" if args.dump_images else None
    tables = [args.csv, onsets_path(args.csv)] if args.csv else []
    report(episode, piece, [args.video, args.record, plot, args.alignment, args.saliency, *tables, pictures])


def main() -> None:
    """Run the command; a user's mistake is one line on stderr and exit code 2."""
    with script():
        _watch(make_parser().parse_args())


if __name__ == "__main__":
    main()
