#!/usr/bin/env bash
# Nottingham from nothing: the reading network, published protocol's 187 tunes
cd /work/train2
D=$(dirname $(find /work/data/nott -type d -name nottingham_train))
exec /root/venv/bin/python sf_experiment.py --preset reading --game_config game_configs/nottingham_reading.yaml \
  --train_set $D/nottingham_train --eval_set $D/nottingham_valid \
  --augment 2 --threads 1 --checkpoint_minutes 5 --anneal_minutes 25 --eval_interval 200 --seed 1 \
  --log_root /work/runs/nott2/logs --param_root /work/runs/nott2/params
