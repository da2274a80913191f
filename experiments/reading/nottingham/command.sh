#!/usr/bin/env bash
# In the root of the repository; DATA: folder of the data sets, RUNS: of the runs.
# Nottingham from nothing: the reading network, published protocol's 187 tunes
D=$(dirname $(find $DATA/nott -type d -name nottingham_train))
exec python sf_experiment.py --preset reading --game_config game_configs/nottingham_reading.yaml \
  --train_set $D/nottingham_train --eval_set $D/nottingham_valid \
  --augment 2 --threads 1 --checkpoint_minutes 5 --anneal_minutes 25 --eval_interval 200 --seed 1 \
  --log_root $RUNS/nott2/logs --param_root $RUNS/nott2/params
