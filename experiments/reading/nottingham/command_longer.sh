#!/usr/bin/env bash
# In the root of the repository; DATA: folder of the data sets, RUNS: of the runs.
# The shipped `reading` for longer, to see how few pixels it can err by
D=$(dirname $(find $DATA/nott -type d -name nottingham_train))
exec python sf_experiment.py --preset reading --game_config game_configs/nottingham_reading.yaml --ini_params reading \
  --train_set $D/nottingham_train --eval_set $D/nottingham_valid --augment 2 \
  --optim_params "{lr: 1.0e-3, betas: '(0.9, 0.99)', weight_decay: 1e-4}" --final_lr 1e-5 --anneal_minutes 100 --max_minutes 125 \
  --eval_interval 500 --eval_trials 2 --threads 1 --checkpoint_minutes 5 --seed 21 --log_root $RUNS/r21/logs --param_root $RUNS/r21/params
