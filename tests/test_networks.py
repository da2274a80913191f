"""The table of networks against the published shapes and fingerprints; parameter files."""

from pathlib import Path

import numpy as np
import pytest
import torch
from extract_reference import published_networks

from score_following_game.agents.architectures import ARCHITECTURES, PUBLISHED
from score_following_game.agents.layers import with_past
from score_following_game.agents.networks import get_network, network_for
from score_following_game.agents.parameters import load_initial_parameters, load_parameters
from score_following_game.config import load_game_config
from score_following_game.errors import UserError


@pytest.mark.parametrize("name", sorted(PUBLISHED))
def test_published_names_shapes_and_fingerprint(name: str):
    published = [net for net in published_networks() if net["class"] == name]
    assert published
    for facts in published:
        network = get_network(name, 3).eval()
        shapes = [
            [key, list(value.shape), str(value.dtype).removeprefix("torch.")] for key, value in network.state_dict().items()
        ]
        assert shapes == facts["state_dict"]
        assert sum(parameter.numel() for parameter in network.parameters()) == facts["n_params"]
        assert network.architecture.initialisation == ("selu" if "selu" in facts["init"] else "orthogonal")
        for accepted in facts["accepted"]:
            assert [[2, *network.architecture.spec_size], [2, *network.architecture.sheet_size]] == [
                accepted["spec_shape"],
                accepted["sheet_shape"],
            ]
        if "fingerprint" in facts:
            compare_fingerprint(network, facts["fingerprint"])


def compare_fingerprint(network: torch.nn.Module, fingerprint: dict) -> None:
    for number, parameter in enumerate(network.parameters()):
        values = 0.05 * np.sin(0.37 * np.arange(parameter.numel()) + number)
        parameter.data.copy_(torch.from_numpy(values.astype(np.float32)).view_as(parameter))
    observation = []
    for key, wave, rate in (("spec_shape", np.sin, 0.01), ("sheet_shape", np.cos, 0.013)):
        shape = fingerprint["input"][key]
        values = 0.5 + 0.5 * wave(rate * np.arange(np.prod(shape)))
        observation.append(torch.from_numpy(values.astype(np.float32)).view(1, *shape))
    ours, theirs = network(observation), fingerprint["output"]
    if isinstance(theirs, dict):  # of 2019
        theirs = [theirs["policy"]["logits"], theirs["value"]]
    if network.architecture.lstm:
        for state, published in zip(ours[2].unbind(1), theirs[2]):
            begin = state.detach().numpy().ravel()[: len(published["values"])]
            np.testing.assert_allclose(begin, published["values"], atol=2e-6)
    if network.architecture.continuous:
        values = [theirs[0]["mean"]["values"] + theirs[0]["std"]["values"], theirs[1]["values"]]
    else:
        values = [part["values"] for part in theirs[:2]]
    for mine, published in zip(ours, values):
        np.testing.assert_allclose(mine.detach().numpy().ravel(), published, atol=2e-6)


def test_the_table_is_complete():
    published = {net["class"] for net in published_networks()}
    assert set(PUBLISHED) == published and len(published) == 28


@pytest.mark.parametrize("name", sorted(ARCHITECTURES))
def test_first_parameters(name: str):
    torch.manual_seed(0)
    network = get_network(name, 3)
    for module in network.modules():
        if isinstance(module, (torch.nn.Conv2d, torch.nn.Linear)):
            assert not module.bias.any()
    weight = network.concat_fc.weight
    if "SELU" in name:
        assert float(weight.detach().std()) == pytest.approx(weight.numel() ** -0.5, rel=0.02)
    else:
        torch.testing.assert_close(weight @ weight.T, torch.eye(len(weight)), atol=1e-5, rtol=0)


@pytest.mark.parametrize("name", sorted(ARCHITECTURES))
def test_bfloat16_decides_nearly_as_float32(name: str):
    torch.manual_seed(0)
    network = get_network(name, 3).eval()
    observation = [torch.rand(3, 2, *size) for size in (network.architecture.spec_size, network.architecture.sheet_size)]
    with torch.no_grad():
        exact, rounded = network(observation), network([part.bfloat16() for part in observation])
    for expected, got in zip(exact, rounded, strict=True):
        assert got.dtype == torch.float32
        torch.testing.assert_close(got, expected, atol=0.05, rtol=0.05)


def test_a_long_past_is_heard_coarsely_and_the_present_exactly():
    torch.manual_seed(0)
    windows = torch.rand(2, 2, 3, 16)
    seen = with_past(windows, 3)
    torch.testing.assert_close(seen[:, :2], windows[..., 12:])
    for column in range(4):
        torch.testing.assert_close(seen[:, 2, :, column], windows[:, 0, :, 3 * column : 3 * column + 3].mean(-1))
    network = get_network("ScoreFollowingNetLongPast", 3).eval()
    assert network.spec_conv1.weight.shape == (16, 3, 4, 4)
    spec, sheet = torch.rand(1, 2, 39, 80), torch.rand(1, 2, 40, 150)
    changed = spec.clone()
    changed[:, 0, :, :3] += 1  # eight seconds ago
    with torch.no_grad():
        assert not torch.allclose(network([spec, sheet])[0], network([changed, sheet])[0], atol=1e-6)


def test_training_with_a_long_past_begins_with_parameters_without_one():
    network, without = get_network("ScoreFollowingNetLongPast", 3).eval(), get_network("ScoreFollowingNet", 3).eval()
    load_initial_parameters(network, "nottingham")
    load_parameters(without, "nottingham")
    spec, sheet = torch.rand(2, 2, 39, 80), torch.rand(2, 2, 40, 150)
    with torch.no_grad():
        for got, expected in zip(network([spec, sheet]), without([spec[..., 60:], sheet]), strict=True):
            torch.testing.assert_close(got, expected)
    with pytest.raises(UserError, match=r"spec_conv1\.weight has shape"):
        load_parameters(network, "nottingham")


def test_an_lstm_remembers():
    torch.manual_seed(0)
    network = get_network("ScoreFollowingNetLSTM", 3).eval()
    observation = [torch.rand(4, 2, 39, 20), torch.rand(4, 2, 40, 150)]
    with torch.no_grad():
        fresh = network(observation)
        torch.testing.assert_close(network(observation, lstm_state=network.initial_lstm_state(4))[0], fresh[0])
        later = network(observation, lstm_state=fresh[2])
    assert not torch.allclose(later[0], fresh[0], atol=1e-3)
    assert network.initial_lstm_state(4).shape == fresh[2].shape == (4, 2, 256)


def test_batch_statistics_are_learnt_in_training_and_used_after():
    torch.manual_seed(0)
    network = get_network("ScoreFollowingNetSELU01", 3)
    observation = [5 + torch.rand(8, 2, 39, 20), 5 + torch.rand(8, 2, 40, 150)]
    with torch.no_grad():
        for _ in range(300):
            network(observation)
        in_training = network(observation)[0]
        torch.testing.assert_close(network.eval()(observation)[0], in_training, atol=1e-2, rtol=1e-2)
    assert float(network.spec_bn.running_mean[0]) == pytest.approx(5.5 * (1 - 0.99**300), rel=1e-2)


def test_the_table_is_printed(run_here):
    lines = run_here("score_following_game/agents/networks.py").stdout.splitlines()
    assert [line.split()[0] for line in lines[1:]] == list(ARCHITECTURES)
    assert "ScoreFollowingNetMSMDLCHSDeepDoLight             2915620  78 x 40" in "\n".join(lines)


def test_dropout_is_active_in_training_only():
    network = get_network("ScoreFollowingNetMSMDLCHSDeepDoLight", 3)
    observation = [torch.rand(1, 2, 78, 40), torch.rand(1, 2, 80, 256)]
    with torch.no_grad():
        assert not torch.equal(network(observation)[0], network(observation)[0])
        network.eval()
        assert torch.equal(network(observation)[0], network(observation)[0])


def test_parameter_files(tmp_path: Path):
    source, target = get_network("ScoreFollowingNet", 3), get_network("ScoreFollowingNet", 3)
    torch.save(source.state_dict(), tmp_path / "good.pt")
    load_parameters(target, tmp_path / "good.pt")
    assert torch.equal(source.policy_out.weight, target.policy_out.weight)
    (tmp_path / "noise.pt").write_bytes(b"noise")
    torch.save(get_network("ScoreFollowingNet", 2).state_dict(), tmp_path / "two.pt")
    torch.save(get_network("ScoreFollowingNetNottinghamLS", 3).state_dict(), tmp_path / "other.pt")
    torch.save(source, tmp_path / "pickled.pt")
    for name, message in (
        ("none.pt", "no such parameter file"),
        ("noise.pt", "not a file of network parameters"),
        ("pickled.pt", "not a file of network parameters"),
        ("other.pt", "parameters of another network"),
        ("two.pt", r"policy_out.weight has shape \(2, 256\), this network expects \(3, 256\)"),
    ):
        with pytest.raises(UserError, match=f"{name}: {message}"):
            load_parameters(target, tmp_path / name)


def test_networks_that_do_not_fit_are_refused():
    with pytest.raises(UserError, match=r"network ScoreFollowNet: no such network; did you mean ScoreFollowingNet\?"):
        get_network("ScoreFollowNet", 3)
    with pytest.raises(UserError, match=r"ScoreFollowingNet expects .*39, 20.* the game config shows .*78, 40"):
        network_for("ScoreFollowingNet", load_game_config("mutopia_lchs1.yaml"))
    with pytest.raises(UserError, match="ScoreFollowingNet chooses among discrete actions, but the game config is continuous"):
        network_for("ScoreFollowingNet", load_game_config("nottingham_continuous.yaml"))
    with pytest.raises(UserError, match="Continuous chooses its speed freely, but the game config has discrete actions"):
        network_for("ScoreFollowingNetContinuous", load_game_config("nottingham.yaml"))
