#!/usr/bin/env bash
# In the root of the repository; DATA: folder of the data sets, RUNS: of the runs.
# Folk 11: from the shipped agent, with right hands of Polish piano pieces, each under three names beside the tunes:
#   prepare_game_data.py --source 420_POLISH_SCORES --style nottingham --part right --max_seconds 240 --destination $DATA/rh   (173 were made)
exec python sf_experiment.py --preset reading --game_config game_configs/nottingham_reading.yaml \
  --ini_params folk --train_set $DATA/folk11/train --eval_set $DATA/folk9/valid \
  --eval_conditions --world all --world_fonts /usr/share/sounds/sf2/TimGM6mb.sf2,/usr/share/sounds/sf2/FluidR3_GM.sf2,/usr/share/sounds/sf3/MuseScore_General_Lite.sf3 \
  --optim_params "{lr: 1.0e-3, betas: '(0.9, 0.99)', weight_decay: 1e-4}" --final_lr 2e-5 \
  --pieces_at_once 384 --augment 0 --threads 1 --checkpoint_minutes 5 --anneal_minutes 55 --max_minutes 55 --eval_interval 800 --seed 11 \
  --log_root $RUNS/folk11/logs --param_root $RUNS/folk11/params
