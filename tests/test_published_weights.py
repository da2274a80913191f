"""Parameters as the releases saved them: by torch 0.3 to 1.x, on a GPU, under Python 2 or 3; found by their folder's name."""

from __future__ import annotations

import csv
import pickle
import pickletools
import struct
from collections import OrderedDict
from itertools import product
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pytest
import torch
from small_piece import write_small_piece
from torch import Tensor

from score_following_game.agents.loading import load_trained_agent, resolve_network_and_config
from score_following_game.agents.networks import get_network
from score_following_game.agents.parameters import load_parameters
from score_following_game.config import load_game_config
from score_following_game.data_processing.dataset import load_data_set
from score_following_game.environment.score_bank import ScoreBank
from score_following_game.errors import UserError
from score_following_game.evaluation.evaluator import play_data_set

NETWORKS = [
    "BaselineNet",
    "ScoreFollowingNet",
    "ScoreFollowingNetBN",
    "ScoreFollowingNetContinuous",
    "ScoreFollowingNetLSTM",
    "ScoreFollowingNetSELU01",
    "ScoreFollowingNetNottinghamLS",
    "ScoreFollowingNetMSMDLCHSDeepDoLight",
]
MAGIC, PROTOCOL = 0x1950A86A20F9469CFC6C, 1001
GPU_STORAGES = {torch.float32: torch.cuda.FloatStorage, torch.int64: torch.cuda.LongStorage}


class GpuStorage:
    """Stands for the storage of a tensor, as it would be on a GPU. values: all that is in it."""

    def __init__(self, tensor: Tensor) -> None:
        self.values = torch.empty(0, dtype=tensor.dtype).set_(tensor.untyped_storage())
        self.key = str(tensor.untyped_storage().data_ptr())


class Pickler03(pickle._Pickler):
    """Tensors and their storages as torch 0.3 pickled them on a GPU. python2: strings and OrderedDicts as Python 2 did."""

    def __init__(self, stream: BinaryIO, python2: bool) -> None:
        super().__init__(stream, protocol=2)
        self.python2 = python2
        self.storages: dict[str, Tensor] = {}  # key -> values
        if python2:
            self.dispatch = {**pickle._Pickler.dispatch, str: Pickler03.save_python2_string}

    def save_python2_string(self, text: str) -> None:
        data = text.encode("ascii")
        self.write(pickle.SHORT_BINSTRING + bytes([len(data)]) + data)
        self.memoize(text)

    def persistent_id(self, thing: Any) -> tuple | None:
        if not isinstance(thing, GpuStorage):
            return None
        self.storages[thing.key] = thing.values
        return "storage", GPU_STORAGES[thing.values.dtype], thing.key, "cuda:0", len(thing.values), None

    def reducer_override(self, thing: Any) -> Any:
        if isinstance(thing, Tensor):
            place = GpuStorage(thing), thing.storage_offset(), tuple(thing.shape), thing.stride()
            return torch._utils._rebuild_tensor, place
        if self.python2 and isinstance(thing, OrderedDict):
            return OrderedDict, ([[key, value] for key, value in thing.items()],), vars(thing) or None
        return NotImplemented


def save_as_torch_03(state: OrderedDict, path: Path, python2: bool = False) -> None:
    """torch.save of 0.3: five pickles, then each storage's length and values."""
    with path.open("wb") as stream:
        sizes = {"protocol_version": PROTOCOL, "little_endian": True, "type_sizes": {"short": 2, "int": 4, "long": 4}}
        for content in (MAGIC, PROTOCOL, sizes):
            Pickler03(stream, python2).dump(content)
        pickler = Pickler03(stream, python2)
        pickler.dump(state)
        keys = sorted(pickler.storages)
        Pickler03(stream, python2).dump(keys)
        for key in keys:
            values = pickler.storages[key]
            stream.write(struct.pack("<q", len(values)) + values.numpy().tobytes())


def save_as_torch_1(state: OrderedDict, path: Path) -> None:
    """torch.save of 0.4 to 1.5 on a GPU: today's, with the names of storages and their place changed."""
    torch.save(state, path, _use_new_zipfile_serialization=False)
    content = path.read_bytes()
    for old, new in (
        (b"ctorch\nFloatStorage\n", b"ctorch.cuda\nFloatStorage\n"),
        (b"ctorch\nLongStorage\n", b"ctorch.cuda\nLongStorage\n"),
        (b"X\x03\x00\x00\x00cpu", b"X\x06\x00\x00\x00cuda:0"),
    ):
        content = content.replace(old, new)
    path.write_bytes(content)


WRITERS = {
    "torch 0.3": save_as_torch_03,
    "torch 0.3, Python 2": lambda *to: save_as_torch_03(*to, python2=True),
    "torch 1": save_as_torch_1,
}


def globals_of(path: Path) -> set[str]:
    """The names that the pickles of a parameter file ask for."""
    with path.open("rb") as stream:
        return {argument for _ in range(5) for code, argument, _ in pickletools.genops(stream) if code.name == "GLOBAL"}


def require_of_a_gpu(path: Path) -> None:
    """The file's own wish is a GPU."""
    names = globals_of(path)
    assert "torch.cuda FloatStorage" in names
    assert not {"torch FloatStorage", "torch LongStorage"} & names
    if torch.cuda.is_available():
        assert all(value.is_cuda for value in torch.load(path, weights_only=True).values())
    else:
        with pytest.raises(RuntimeError, match=r"on a CUDA device but torch.cuda.is_available\(\) is False"):
            torch.load(path, weights_only=True)


def trained(name: str, seed: int = 1) -> torch.nn.Module:
    """A network of which no parameter and no running mean is as in a fresh one."""
    torch.manual_seed(seed)
    network = get_network(name, 1 if "Continuous" in name else 3)
    for value in network.state_dict().values():
        value += torch.randint(5, 9, ()) if value.dtype == torch.int64 else 0.01 * torch.rand(value.shape)
    return network


def state_of(network: torch.nn.Module, counted: bool) -> OrderedDict:
    """counted: with how many batches were normalised, which torch 0.3 did not note."""
    state = network.state_dict()
    for key in [key for key in state if key.endswith("num_batches_tracked") and not counted]:
        del state[key]
    assert type(state) is OrderedDict
    assert state._metadata
    return state


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("writer", WRITERS)
def test_parameters_of_a_gpu_are_read_to_the_bit(tmp_path: Path, name: str, writer: str):
    source, target = trained(name), trained(name, seed=2)
    before = {key: value.clone() for key, value in target.state_dict().items()}
    path = tmp_path / "best_model.pt"
    state = state_of(source, counted=writer == "torch 1")
    WRITERS[writer](state, path)
    require_of_a_gpu(path)
    load_parameters(target, path)
    for key, value in target.state_dict().items():
        assert torch.equal(value, state.get(key, before[key])), key
        assert value.device.type == "cpu"


def test_the_names_are_those_of_their_time(tmp_path: Path):
    state = state_of(trained("ScoreFollowingNet"), counted=False)
    for writer, rebuild in (("torch 0.3", "_rebuild_tensor"), ("torch 1", "_rebuild_tensor_v2")):
        WRITERS[writer](state, tmp_path / "x.pt")
        names = globals_of(tmp_path / "x.pt")
        assert names == {"collections OrderedDict", "torch.cuda FloatStorage", f"torch._utils {rebuild}"}
    save_as_torch_03(state, tmp_path / "x.pt", python2=True)
    with (tmp_path / "x.pt").open("rb") as stream:
        codes = {code.name for _ in range(5) for code, _, _ in pickletools.genops(stream)}
    assert "SHORT_BINSTRING" in codes
    assert "BINUNICODE" not in codes


@pytest.mark.parametrize("writer", WRITERS)
def test_an_lstm_whose_weights_are_one_block(tmp_path: Path, writer: str):
    """As cuDNN wants them: each weight is a part of one storage."""
    source, target = trained("ScoreFollowingNetLSTM"), trained("ScoreFollowingNetLSTM", seed=2)
    block = torch.cat([value.flatten() for value in source.lstm.state_dict().values()])
    first = 0
    for parameter in source.lstm.parameters():
        parameter.data = block[first : first + parameter.numel()].view_as(parameter)
        first += parameter.numel()
    state = state_of(source, counted=False)
    assert len({value.untyped_storage().data_ptr() for key, value in state.items() if key.startswith("lstm")}) == 1
    WRITERS[writer](state, tmp_path / "best_model.pt")
    load_parameters(target, tmp_path / "best_model.pt")
    assert all(torch.equal(value, state[key]) for key, value in target.state_dict().items())


def test_a_file_that_would_run_code_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    class Bomb:
        def __reduce__(self):
            return print, ("ran",)

    monkeypatch.setattr(Pickler03, "reducer_override", lambda self, thing: NotImplemented)
    save_as_torch_03(OrderedDict(bomb=Bomb()), tmp_path / "bomb.pt")
    with pytest.raises(UserError, match=r"bomb.pt: not a file of network parameters .it holds more than tensors"):
        load_parameters(get_network("ScoreFollowingNet", 3), tmp_path / "bomb.pt")


def test_half_a_file_is_refused(tmp_path: Path):
    path = tmp_path / "half.pt"
    save_as_torch_03(state_of(trained("ScoreFollowingNet"), counted=False), path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(UserError, match=r"half.pt: not a file of network parameters"):
        load_parameters(get_network("ScoreFollowingNet", 3), path)


@pytest.mark.parametrize(
    ("agent", "net", "game_config"),
    [
        ("a2c", "ScoreFollowingNet", "nottingham"),
        ("a2c_lstm", "ScoreFollowingNetLSTM", "nottingham"),
        ("reinforce", "ScoreFollowingNetContinuous", "nottingham_continuous"),
        ("ppo", "ScoreFollowingNetMSMDLCHSDeepDoLight", "mutopia_lchs1"),
    ],
)
def test_network_and_config_are_in_the_folders_name(tmp_path: Path, agent: str, net: str, game_config: str):
    """A - may be anywhere else: in the folders above, in the training set's name, in the user's."""
    above = ("params_ISMIR18", "my-runs/of-2018", "a2c-Other-set-mutopia_20180102_030405-user")
    train_sets = ("nottingham_train", "my-own-set", "set_20180101_000000", "-")
    users = ("dorfer", "first-last", "a-b-2", "")
    expected = load_game_config(f"game_configs/{game_config}.yaml")
    for folders, train_set, user in product(above, train_sets, users):
        folder = tmp_path / folders / f"{agent}-{net}-{train_set}-{game_config}_20180512_131415-{user}"
        folder.mkdir(parents=True)
        (folder / "model_update_100000.pt").touch()
        assert resolve_network_and_config(folder / "model_update_100000.pt") == (net, expected)


def test_links_from_and_to_a_run(tmp_path: Path):
    """As large files are often kept: apart, with a link in the run's folder."""
    folder, store = tmp_path / "a2c-ScoreFollowingNet-set-nottingham_20180512_131415-user", tmp_path / "store"
    for made in (folder, store):
        made.mkdir()
    (store / "0f3a.pt").touch()
    (folder / "best_model.pt").symlink_to(store / "0f3a.pt")
    (folder / "last.pt").touch()
    (tmp_path / "latest.pt").symlink_to(folder / "last.pt")
    (tmp_path / "current").symlink_to(folder)
    expected = "ScoreFollowingNet", load_game_config("game_configs/nottingham.yaml")
    for path in (
        folder / "best_model.pt",
        tmp_path / "latest.pt",
        tmp_path / "current" / "last.pt",
        store / ".." / folder.name / "best_model.pt",
    ):
        assert resolve_network_and_config(path) == expected
    with pytest.raises(UserError, match=r"0f3a.pt: .*give the network"):
        resolve_network_and_config(store / "0f3a.pt")


@pytest.mark.parametrize(
    ("writer", "agent", "net", "game_config"),
    [
        ("torch 0.3", "a2c", "ScoreFollowingNet", "nottingham"),
        ("torch 0.3, Python 2", "a2c_lstm", "ScoreFollowingNetLSTM", "nottingham"),
        ("torch 1", "ppo", "ScoreFollowingNetMSMDLCHSDeepDoLight", "mutopia_lchs1"),
    ],
)
def test_evaluated_by_the_script_as_in_this_process(run, tmp_path: Path, writer: str, agent: str, net: str, game_config: str):
    """The folder's name and the file are all the script gets; here the same parameters are saved by this torch."""
    folder = tmp_path / "params-ISMIR18" / f"{agent}-{net}-the-train-set-{game_config}_20180512_131415-first-last"
    folder.mkdir(parents=True)
    WRITERS[writer](state_of(trained(net), counted=writer == "torch 1"), folder / "best_model.pt")
    piano = game_config != "nottingham"
    data_set = write_small_piece(tmp_path / "piano", height=200, notes=16) if piano else "test_sample"
    run(
        "eval_score_following.py",
        "--params",
        folder / "best_model.pt",
        "--data_set",
        data_set,
        "--threads",
        1,
        "--seed",
        7,
        "--trials",
        5,
        "--csv",
        tmp_path / "out.csv",
    )
    rows = list(csv.DictReader((tmp_path / "out.csv").open()))
    config = load_game_config(f"game_configs/{game_config}.yaml")
    bank = ScoreBank(load_data_set(data_set, config), config)
    for seed, same in ((1, True), (2, False)):
        torch.save(trained(net, seed).state_dict(), tmp_path / "today.pt")
        trials = play_data_set(load_trained_agent(tmp_path / "today.pt", net, config, seed=7), bank, 5)
        played = [
            (episode.piece, episode.last_frame, f"{np.abs(episode.errors).mean() if len(episode.errors) else np.nan:.6f}")
            for trial in trials
            for episode in trial
        ]
        reported = [(row["piece"], int(row["last_frame"]), f"{float(row['error_mean_px']):.6f}") for row in rows]
        assert (reported == played) is same
