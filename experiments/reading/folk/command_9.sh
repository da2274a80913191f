#!/usr/bin/env bash
# In the root of the repository; DATA: folder of the data sets, RUNS: of the runs.
# Folk 9: from the shipped agent, with tunes also in notes four times as long
exec python sf_experiment.py --preset reading --game_config game_configs/nottingham_reading.yaml \
  --ini_params models/folk_reading/best_model.pt --train_set $DATA/folk9/train --eval_set $DATA/folk9/valid \
  --eval_conditions --world all --world_fonts /usr/share/sounds/sf2/TimGM6mb.sf2,/usr/share/sounds/sf2/FluidR3_GM.sf2,/usr/share/sounds/sf3/MuseScore_General_Lite.sf3 \
  --optim_params "{lr: 1e-3, betas: '(0.9, 0.99)', weight_decay: 1e-4}" \
  --pieces_at_once 384 --augment 0 --threads 1 --checkpoint_minutes 5 --anneal_minutes 20 --max_minutes 20 --eval_interval 1000 --seed 9 \
  --log_root $RUNS/folk9/logs --param_root $RUNS/folk9/params
