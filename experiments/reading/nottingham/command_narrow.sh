#!/usr/bin/env bash
# In the root of the repository; DATA: folder of the data sets, RUNS: of the runs. command_narrow.sh INITIAL_PARAMETERS MINUTES
# From `longer` with WIDTH .35 (learner.py; 10 minutes, stopped after 8, update 2 100), from that average with .22 (8 minutes; the
# average of update 1 200 is the shipped `reading`)
D=$(dirname $(find $DATA/nott -type d -name nottingham_train))
exec python sf_experiment.py --preset reading --game_config game_configs/nottingham_reading.yaml --ini_params "$1" \
  --train_set $D/nottingham_train --eval_set $D/nottingham_valid --augment 2 \
  --optim_params "{lr: 7.0e-4, betas: '(0.9, 0.99)', weight_decay: 1e-4}" --final_lr 1e-5 --anneal_minutes "$2" --max_minutes "$2" \
  --eval_interval 300 --eval_trials 2 --threads 1 --checkpoint_minutes 5 --seed 21 --log_root $RUNS/narrow/logs --param_root $RUNS/narrow/params
