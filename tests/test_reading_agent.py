"""The belief and the agent that plays by it: motion prior, control, what it may use, games that begin and end."""

from __future__ import annotations

import copy
import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from score_following_game.agents.policy import CategoricalPolicy, NormalPolicy
from score_following_game.agents.reading.agent import ReadingAgent
from score_following_game.agents.reading.belief import MotionPrior, estimate, unit_of
from score_following_game.agents.reading.features import strips
from score_following_game.agents.reading.network import (
    CELL,
    CELL_COLUMNS,
    ReadingNetwork,
    column_step,
    places_in_view,
    position_of,
    reading_network,
    rows_heard,
)
from score_following_game.agents.reading.silence import Silence
from score_following_game.agents.reading.sustain import FADES, sustained
from score_following_game.agents.reading.view import OUT_OF_VIEW, There, View
from score_following_game.config import GameConfig, freely_moving
from score_following_game.environment.game import Game
from score_following_game.environment.live import LiveScore
from score_following_game.environment.score_bank import ScoreBank
from score_following_game.environment.starts import Start
from score_following_game.evaluation.evaluator import play_data_set


@pytest.fixture(scope="module")
def network(config: GameConfig) -> ReadingNetwork:
    torch.manual_seed(0)
    return reading_network("ReadingNet", config)


def agent_of(network: ReadingNetwork, kind: type[ReadingAgent] = ReadingAgent) -> ReadingAgent:
    return kind(network, torch.Generator().manual_seed(1))


class Knowing(ReadingAgent):
    """What a network would say that places the music within 5 px and counts nothing; in frames 20 to 34 it is deaf."""

    def view(self, game: Game) -> View:
        view = super().view(game)
        return view._replace(noteheads=torch.zeros_like(view.noteheads), began=torch.zeros_like(view.began))

    def there(self, game: Game, view: View, position: Tensor) -> There:
        deaf = (game.frame >= 20) & (game.frame < 35)
        sure = -((position - game.true_position()[:, None]) / 5).square() / 2
        known = torch.where(deaf[:, None], torch.zeros_like(sure), sure)
        return super().there(game, view, position)._replace(log_likelihood=known)


def equal(particles: Tensor) -> Tensor:
    """The weights of particles that all count the same."""
    return torch.full(particles.shape[:2], 1 / particles.shape[1], dtype=torch.float64)


def heard_by(games: int, silent: bool = False) -> Tensor:
    """Whether each of the games is silent, as `moved` takes it."""
    return torch.full((games,), silent)


def test_a_belief_goes_on_while_nothing_is_understood_for_three_seconds(config: GameConfig):
    prior = MotionPrior(torch.Generator().manual_seed(0), unit_of(config))
    speed = torch.tensor([1.0, 2.5], dtype=torch.float64)  # pixels per frame, of two games
    true_x = torch.tensor([400.0, 300.0], dtype=torch.float64)
    particles, spreads = prior.begun(true_x, torch.zeros(2, dtype=torch.float64)), {}
    pace = torch.ones(2, prior.n, dtype=torch.float64)
    for frame in range(200):
        heard = not 100 <= frame < 160
        evidence = -((particles[..., 0] - true_x[:, None]) / 12).square() / 2
        particles = prior.drawn(particles, 0.1 * evidence * heard)
        found = estimate(particles, pace, equal(particles))
        spreads[frame] = found.spread
        if frame >= 60:
            assert (found.position - true_x).abs().max() < (10 if heard and frame < 160 else 40), frame
        if frame == 99:
            torch.testing.assert_close(found.speed, speed, atol=0.3, rtol=0)
        particles, true_x = prior.moved(particles, pace, heard_by(2)), true_x + speed
    assert (spreads[159] > 1.5 * spreads[99]).all() and (spreads[199] < spreads[159]).all()
    assert (found.position - true_x + speed).abs().max() < 10


@pytest.mark.parametrize("silence", [0, 20, 60, 200])
def test_silence_before_the_music_does_not_make_it_slow(config: GameConfig, silence: int):
    """In silence the place of the first note fits, so whatever moves on is given up. Music of any tempo may follow."""
    prior = MotionPrior(torch.Generator().manual_seed(0), unit_of(config))
    speed = torch.tensor([0.5, 1.0, 2.5], dtype=torch.float64)
    true_x = torch.full((3,), 300.0, dtype=torch.float64)
    particles, pace = prior.begun(true_x, torch.zeros_like(true_x)), torch.ones(3, prior.n, dtype=torch.float64)
    for frame in range(silence + 80):
        evidence = -((particles[..., 0] - true_x[:, None]) / 12).square() / 2
        particles = prior.drawn(particles, 0.1 * evidence.clamp(min=-5))
        found = estimate(particles, pace, equal(particles))
        assert (found.position - true_x).abs().max() < 40, frame
        silent = heard_by(3, frame < silence)
        particles, true_x = prior.moved(particles, pace, silent), true_x + speed * (frame >= silence)
    assert (found.position - true_x + speed).abs().max() < 12
    torch.testing.assert_close(found.speed, speed, atol=0.4, rtol=0)


@pytest.mark.parametrize("pause", [20, 60, 200])
def test_a_pause_does_not_change_the_tempo(config: GameConfig, pause: int):
    """It begins a while after the last note; the next note is then heard at the place where the music stopped."""
    prior = MotionPrior(torch.Generator().manual_seed(0), unit_of(config))
    speed = torch.tensor([0.5, 1.0, 2.5], dtype=torch.float64)
    true_x = torch.full((3,), 300.0, dtype=torch.float64)
    particles, pace = prior.begun(true_x, torch.zeros_like(true_x)), torch.ones(3, prior.n, dtype=torch.float64)
    for frame in range(80 + pause + 60):
        pausing = 80 <= frame < 80 + pause
        evidence = -((particles[..., 0] - true_x[:, None]) / 12).square() / 2
        particles = prior.drawn(particles, 0.1 * evidence.clamp(min=-5))
        found = estimate(particles, pace, equal(particles))
        if frame >= 60:
            assert (found.position - true_x).abs().max() < 30, frame
        particles, true_x = prior.moved(particles, pace, heard_by(3, pausing)), true_x + speed * (not pausing)
        if frame == 80 + pause + 10:
            torch.testing.assert_close(found.speed, speed, atol=0.5, rtol=0.1)


@pytest.mark.parametrize("noise", [0.0, 0.2])
def test_silence_is_what_is_near_the_quietest_that_was_heard(bank: ScoreBank, noise: float):
    heard, games = copy.copy(bank), 2
    heard.spec = torch.zeros_like(bank.spec)
    newest = int(bank.spec_offset[0]) + rows_heard(bank.config) - 1
    heard.spec[newest : newest + 60] = noise
    heard.spec[newest + 10 : newest + 30] = torch.linspace(1.0, 0.4, 20)[:, None]  # a note
    heard.spec[newest + 45 : newest + 60] = 0.6
    game, silence, found = Game(heard, games), Silence(), []
    game.reset(Start.from_beginning(torch.zeros(games, dtype=torch.int64)))
    for frame in range(60):
        game.frame[:] = frame
        found.append(silence.heard(game, torch.tensor([frame > 0, frame not in (0, 50)])))
    expected = torch.tensor([not (10 <= frame < 30 or frame >= 45) for frame in range(60)])
    assert torch.equal(torch.stack(found)[:, 0], expected)
    assert torch.equal(torch.stack(found)[:50, 1], expected[:50])
    assert torch.stack(found)[50:, 1].all()  # what begins anew has heard nothing louder
    silence.keep(torch.tensor([False, True]))
    assert silence.heard(Game(heard, 1), torch.tensor([True])).shape == (1,)


def test_the_music_moves_at_its_tempo_times_the_pace_of_the_place():
    prior = MotionPrior(torch.Generator().manual_seed(0), 0.5, 2000)
    particles = torch.tensor([[[300.0, 1.5, 1.0, 0.0]]], dtype=torch.float64).repeat(2, 2000, 1)
    pace = torch.tensor([[1.0], [4.0]], dtype=torch.float64).expand(2, 2000)
    moved = prior.moved(particles, pace, heard_by(2))
    torch.testing.assert_close(moved.mean(dim=1)[:, 0], torch.tensor([301.5, 306.0]).double(), atol=0.1, rtol=0)
    torch.testing.assert_close(estimate(moved, pace, equal(moved)).speed, torch.tensor([1.5, 6.0]).double(), atol=0.1, rtol=0)


def test_the_sound_of_a_notehead_fits_what_is_behind_it_up_to_the_next_one():
    """Noteheads at places 3 and 9, and the sound of the first; nothing is known of the last two places."""
    fits = torch.full((2, 14), -6.0)
    fits[:, 3], fits[:, 12:] = -0.5, -torch.inf
    notehead = torch.zeros(2, 14)
    notehead[0, [3, 9]] = 1.0  # the second game sees none
    found = sustained(fits, notehead)
    torch.testing.assert_close(found[0, 4:9].diff(), torch.full((4,), -FADES), atol=0.05, rtol=0)
    assert (found[0, 3:9] > -2).all() and (found[0, :3] < -3).all() and (found[0, 9:12] < -3).all()
    assert (found[1, 3:12] > -3).all()
    assert torch.isfinite(found[:, :12]).all() and (found >= fits).all()


def test_noteheads_are_read_where_places_are_and_those_beyond_the_window_are_out(bank: ScoreBank, network: ReadingNetwork):
    game = Game(bank, 2)
    game.reset(Start.from_beginning(torch.tensor([0, 1])))
    view = agent_of(network).view(game)
    beyond = torch.arange(view.log_likelihood.shape[1]) > view.last
    assert (view.log_likelihood[beyond] == -torch.inf).all() and torch.isfinite(view.log_likelihood[~beyond]).all()
    cells = torch.randn(1, 9, 64)
    notes = network.read_notes(cells).detach().sigmoid()[0]
    some = [1 - math.prod(1 - float(note) for note in cell) for cell in notes[1:-1]]
    torch.testing.assert_close(network.noteheads(cells)[0], torch.tensor(some), atol=1e-4, rtol=1e-4)


@torch.no_grad()
def test_the_pace_and_noteheads_of_a_view_are_those_of_its_places(bank: ScoreBank, network: ReadingNetwork):
    network = copy.deepcopy(network)
    network.pace.weight.fill_(0.1)  # in a new network the pace is the same everywhere
    game = Game(bank, 2)
    game.reset(Start(torch.tensor([0, 1]), torch.tensor([30, 40]), torch.tensor([True, True]), torch.zeros(2).double()))
    view, places = agent_of(network).view(game), places_in_view(bank.config)
    left = view.first[:, 0] * CELL * column_step(bank.config)
    cells = network.sheet(strips(bank, game.piece, left, CELL_COLUMNS + CELL * (places + 1)))
    seen = torch.arange(places) <= view.last
    torch.testing.assert_close(view.log_pace[seen], network.paces(cells)[seen], atol=1e-5, rtol=1e-4)
    fits = view.heard.masked_fill(~seen, -torch.inf)
    held = sustained(view.heard, network.noteheads(cells)).masked_fill(~seen, -torch.inf).log_softmax(dim=1)
    torch.testing.assert_close(view.log_likelihood[seen], held[seen], atol=1e-4, rtol=1e-4)
    assert not torch.allclose(view.log_likelihood[seen], fits.log_softmax(dim=1)[seen], atol=1e-3)


def test_particles_are_drawn_by_their_weights():
    prior = MotionPrior(torch.Generator().manual_seed(0), 0.5, 8)
    particles = torch.arange(24.0, dtype=torch.float64).view(1, 8, 3).repeat(2, 1, 1)
    log_weights = torch.zeros(2, 8)
    log_weights[1, [0, 1, 2, 4, 5, 6, 7]] = -50.0
    drawn = prior.drawn(particles, log_weights)
    assert torch.equal(drawn[0], particles[0]) and torch.equal(drawn[1], particles[1, 3].expand(8, 3))
    assert torch.equal(MotionPrior(torch.Generator().manual_seed(0), 0.5, 8).drawn(particles, log_weights), drawn)


@pytest.mark.parametrize("continuous", [False, True])
def test_an_agent_that_hears_well_follows(bank: ScoreBank, network: ReadingNetwork, continuous: bool):
    played = ScoreBank(bank.pieces, freely_moving(bank.config)) if continuous else bank
    agent = agent_of(network, Knowing)
    for trial in play_data_set(agent, played, trials=2):
        assert [episode.ratio for episode in trial] == [1.0] * len(trial)
        assert max(abs(episode.errors[-3:]).max() for episode in trial) < 16
    assert isinstance(agent.policy, NormalPolicy if continuous else CategoricalPolicy)


def test_between_places_values_lie_on_a_curve_and_beyond_them_they_stay(config: GameConfig):
    """A parabola is met exactly where four places are around; what is beyond the last place of the window does not count."""
    values = -(torch.arange(12.0) - 4.3).square().repeat(2, 1)
    values[:, 10:] = -torch.inf
    last = torch.tensor([[9], [9]])
    view = View(torch.zeros_like(last), last, values, 0.05 * values, 2 * values, values, torch.zeros(2))

    def there(*places: float) -> There:
        return view.there(position_of(torch.tensor(places).repeat(2, 1), config), config)

    places = (0.0, 3.0, 9.0, 4.3, 2.75, 6.5)
    exact = -(torch.tensor(places).double() - 4.3).square().repeat(2, 1)
    inside = there(*places)
    for known, factor in ((inside.log_likelihood, 1), (inside.pace.log(), 0.05), (inside.noteheads, 2)):
        torch.testing.assert_close(known, factor * exact, atol=1e-5, rtol=1e-5)
    outside = there(-5.0, -0.1, 9.1, 30.0)
    torch.testing.assert_close(outside.noteheads, 2 * values[:, [0, 0, 9, 9]].double())
    farther = torch.tensor([OUT_OF_VIEW, 0.0, 0.0, OUT_OF_VIEW]).double()
    torch.testing.assert_close(outside.log_likelihood, values[:, [0, 0, 9, 9]] - farther)


def test_policy_and_confidence_tell_what_the_belief_is(bank: ScoreBank, network: ReadingNetwork):
    agent, game = agent_of(network, Knowing), Game(bank, 8)
    confident = []
    for _ in range(40):
        action = agent.perform_action(game)
        probabilities = agent.policy.log_probabilities.exp()
        torch.testing.assert_close(probabilities.sum(1), torch.ones(8))
        assert agent.policy.entropy().isfinite().all()
        # Where particles are far apart, what is right for their mean may be right for none of them.
        for wanted in (probabilities.cumsum(1), probabilities.flip(1).cumsum(1).flip(1)):  # as slow or slower, and the opposite
            assert (wanted.gather(1, action[:, None]) > 0.001).all()
        confident.append(float(agent.confidence.mean()))
        game.step(action)
    assert all(0 <= value <= 1 for value in confident)


def test_confidence_falls_where_nothing_fits_and_where_another_place_does(bank: ScoreBank, network: ReadingNetwork):
    class Puzzled(Knowing):
        """In frames 20 to 34 it hears what is nowhere near."""

        def there(self, game: Game, view: View, position: Tensor) -> There:
            known = super().there(game, view, position)
            puzzled = ((game.frame >= 20) & (game.frame < 35))[:, None]
            return known._replace(log_likelihood=known.log_likelihood - 6 * puzzled)

    agent, game, confident = agent_of(network, Puzzled), Game(bank, 2), []
    for _ in range(45):
        game.step(agent.perform_action(game))
        confident.append(agent.confidence.clone())
    assert (confident[19] > 0.95).all() and (confident[34] < 0.7).all()
    assert (confident[24] > (confident[19] + confident[34]) / 2).all()  # it takes a while,
    assert (confident[44] > confident[34] + 0.1).all()  # and so does coming back
    before, agent.elsewhere = agent.confidence.clone(), 15.0
    agent.perform_action(game)
    assert (agent.confidence < 0.2 * before).all()
    agent.perform_action(Game(bank, 2))  # another game, without a finder
    assert agent.elsewhere == -torch.inf and (agent.confidence > 0.9).all()


@pytest.mark.parametrize("games", [1, 3])  # a single game computes its queries frame by frame
def test_the_agent_uses_nothing_that_it_has_not_heard_or_seen(bank: ScoreBank, network: ReadingNetwork, games: int):
    """Later sound and the sheet outside the window change nothing; the newest sound and the sheet within it do."""
    frames = 6
    generator = torch.Generator().manual_seed(0)
    changed = copy.copy(bank)
    changed.spec, changed.ink = bank.spec.clone(), bank.ink.clone()
    half, context = bank.config.sheet_context // 2, bank.config.spec_context

    def evidence(heard: ScoreBank) -> Tensor:
        agent, game, found = agent_of(network), Game(heard, games), []
        game.reset(Start.from_beginning(torch.arange(games)))
        for frame in range(frames):
            there = agent.there(game, agent.view(game), game.x[:, None] + torch.linspace(-60, 60, 25))
            found.append(there.log_likelihood)
            game.step(torch.full((games,), 2 if frame < 2 else 1))
        return torch.stack(found)

    expected = evidence(bank)
    reach = 5  # pixels that the games move
    for piece in range(games):
        sound = int(bank.spec_offset[piece]) + frames - 1 + context - 1  # at factor 0.5 a row is the mean of two frames
        changed.spec[sound : sound + 20] = torch.rand(20, changed.spec.shape[1], generator=generator)
        begin = Game(bank, 1)
        begin.reset(Start.from_beginning(torch.tensor([piece])))
        x = int(begin.x) + int(bank.ink_offset[piece])
        for far in (slice(x - half - 60, x - half), slice(x + half + reach, x + half + reach + 60)):
            changed.ink[far] = 255
    torch.testing.assert_close(evidence(changed), expected, atol=1e-5, rtol=0)
    for name, row in (("spec", int(bank.spec_offset[0]) + frames - 1 + context - 3), ("ink", int(bank.ink_offset[0]) + 380)):
        near = copy.copy(bank)
        setattr(near, name, getattr(bank, name).clone())
        getattr(near, name)[row : row + 2] = 200
        assert (evidence(near)[-1, 0] - expected[-1, 0]).abs().max() > 1e-4, name


def test_a_live_game_is_that_of_the_recording(bank: ScoreBank, network: ReadingNetwork):
    piece, config = bank.pieces[0], bank.config
    live = LiveScore(piece.sheet, float(piece.onset_x[0]), config, minutes=0.2)
    agent, whole, game = agent_of(network), agent_of(network), Game(bank, 1)
    for frame in range(20):
        live.hear(piece.spectrogram[:, frame : frame + 1])
        while live.ready and int(live.game.frame[0]) < 20:
            live.step(agent.perform_action(live.game))
            game.step(whole.perform_action(game))
            assert live.x == float(game.x[0]) - config.sheet_pad


def test_a_game_that_begins_again_has_a_new_belief(bank: ScoreBank, network: ReadingNetwork):
    agent, game = agent_of(network), Game(bank, 3)
    for _ in range(30):
        game.step(agent.perform_action(game) * 0 + 2)
    before = agent._drawn.clone()
    begun = torch.tensor([False, True, False])
    game.reset(Start.from_beginning(torch.tensor([0, 1, 2])), begun)
    agent.perform_action(game)
    start = agent._drawn[..., 0].mean(dim=1)
    assert abs(float(start[1] - game.x[1])) < 10 and (agent._drawn[1] - before[1]).abs().max() > 50
    assert (start - before[..., 0].mean(dim=1)).abs()[~begun].max() < 30
    kept = agent._drawn[torch.tensor([True, False, True])]
    agent.keep(torch.tensor([True, False, True]))
    game.keep(torch.tensor([True, False, True]))
    assert torch.equal(agent._drawn, kept)
    agent.perform_action(game)
    assert agent.confidence.shape == (2,)


def test_the_unit_of_speed_does_not_depend_on_the_actions(config: GameConfig):
    assert unit_of(config) == unit_of(replace(config, continuous=True, actions=())) == 0.5
    assert unit_of(replace(config, sheet_context=512)) == 1.0
