#!/usr/bin/env bash
# In the root of the repository; DATA: folder of the data sets, RUNS: of the runs.
D=$DATA/piano
exec python sf_experiment.py --preset reading --game_config game_configs/mutopia_lchs1.yaml \
  --train_set $D/train --eval_set $D/valid --ini_params P28A/best_model.pt \
  --augment 0 --threads 1 --checkpoint_minutes 5 --anneal_minutes 90 --max_minutes 90 --eval_interval 300 --seed 9 \
  --log_root $RUNS/piano1/logs --param_root $RUNS/piano1/params
