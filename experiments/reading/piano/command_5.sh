#!/usr/bin/env bash
# In the root of the repository; DATA: folder of the data sets, RUNS: of the runs.
D=$DATA/piano
exec python sf_experiment.py --preset reading --game_config game_configs/mutopia_lchs1.yaml \
  --train_set $D/train --eval_set $D/valid --ini_params STAGE_4_AVERAGE --world all --keyboards_only \
  --world_fonts /usr/share/sounds/sf2/TimGM6mb.sf2,/usr/share/sounds/sf2/FluidR3_GM.sf2,/usr/share/sounds/sf3/MuseScore_General_Lite.sf3 \
  --pieces_at_once 80 --optim_params "{lr: 1.2e-3, betas: '(0.9, 0.99)', weight_decay: 1e-4}" --final_lr 3e-5 \
  --augment 0 --threads 1 --checkpoint_minutes 5 --anneal_minutes 96 --max_minutes 96 --eval_interval 1200 --seed 13 \
  --log_root $RUNS/piano5/logs --param_root $RUNS/piano5/params
