"""The table of networks against the published shapes and fingerprints; parameter files."""
import json
from pathlib import Path

import numpy as np
import pytest
import torch

from score_following_game.agents.architectures import ARCHITECTURES
from score_following_game.agents.networks import get_network, load_parameters, network_for
from score_following_game.config import load_game_config
from score_following_game.errors import UserError

PARAMETERS = {"ScoreFollowingNet": 728548, "ScoreFollowingNetNottinghamLS": 1181796,
              "ScoreFollowingNetMSMDLCHSDeepDo": 3078212, "ScoreFollowingNetMSMDLCHSDeepDoLight": 2915620}


@pytest.mark.parametrize("name", sorted(ARCHITECTURES))
def test_published_names_shapes_and_fingerprint(shared: Path, name: str):
    published = [net for net in json.loads((shared / "spec" / "networks.json").read_text())["networks"] if net["class"] == name]
    assert published
    for facts in published:
        network = get_network(name, 3).eval()
        shapes = [[key, list(value.shape), "float32"] for key, value in network.state_dict().items()]
        assert shapes == facts["state_dict"]
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
    output = fingerprint["output"]
    if isinstance(output, dict):
        output = [output["policy"]["logits"], output["value"]]
    for ours, theirs in zip(network(observation), output, strict=True):
        assert list(ours.shape) == theirs["shape"]
        np.testing.assert_allclose(ours.detach().numpy().ravel(), theirs["values"], atol=2e-6)


@pytest.mark.parametrize("name", sorted(ARCHITECTURES))
def test_size_and_first_parameters(name: str):
    network = get_network(name, 3)
    assert sum(parameter.numel() for parameter in network.parameters()) == PARAMETERS[name]
    weight = network.policy_fc.weight
    torch.testing.assert_close(weight @ weight.T, torch.eye(len(weight)), atol=1e-5, rtol=0)
    assert not network.spec_conv1.bias.any()


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
    for name, message in (("none.pt", "no such parameter file"), ("noise.pt", "not a file of network parameters"),
                          ("pickled.pt", "not a file of network parameters"), ("other.pt", "parameters of another network"),
                          ("two.pt", r"policy_out.weight has shape \(2, 256\), this network wants \(3, 256\)")):
        with pytest.raises(UserError, match=f"{name}: {message}"):
            load_parameters(target, tmp_path / name)


def test_networks_that_do_not_fit_are_refused():
    with pytest.raises(UserError, match="--net Nonsense: no such network; there are ScoreFollowingNet"):
        get_network("Nonsense", 3)
    with pytest.raises(UserError, match=r"ScoreFollowingNet sees .*39, 20.* the game config shows .*78, 40"):
        network_for("ScoreFollowingNet", load_game_config("mutopia_lchs1.yaml"))
    with pytest.raises(UserError, match="the game config is continuous"):
        network_for("ScoreFollowingNet", load_game_config("nottingham_continuous.yaml"))
