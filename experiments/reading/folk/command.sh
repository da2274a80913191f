#!/usr/bin/env bash
# In the root of the repository; DATA: folder of the data sets, RUNS: of the runs.
# Folk 8: as folk 7, with the pace; from experiments/reading/folk/best_model.pt with a pace of 1 (folk_pace_init.pt)
F=$DATA/folk/score_following_game_data/folk
exec python sf_experiment.py --preset reading --game_config game_configs/nottingham_reading.yaml \
  --ini_params $RUNS/folk_pace_init.pt --train_set $F/folk_train --eval_set $F/folk_valid \
  --eval_conditions --world all --world_fonts /usr/share/sounds/sf2/TimGM6mb.sf2,/usr/share/sounds/sf2/FluidR3_GM.sf2,/usr/share/sounds/sf3/MuseScore_General_Lite.sf3 \
  --pieces_at_once 384 --augment 0 --threads 1 --checkpoint_minutes 5 --anneal_minutes 45 --max_minutes 45 --eval_interval 400 --seed 8 \
  --log_root $RUNS/folk8/logs --param_root $RUNS/folk8/params
