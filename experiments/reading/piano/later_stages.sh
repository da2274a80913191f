#!/usr/bin/env bash
# Stages 3 to 9: later_stages.sh 5 STAGE_4.pt, in the root of the repository; DATA: folder of the data sets, RUNS: of the runs.
# The parameters to begin with: for 3, those of stage 2; for 4 to 6, the average that the stage before ended with; for 7, that of 5.
case $1 in
  3) rates=(1.5e-3 5e-4) minutes=60 interval=1000 seed=11 ;;
  4) rates=(1.2e-3 2e-5) minutes=44 interval=1200 seed=12 ;;
  5) rates=(1.2e-3 3e-5) minutes=96 interval=1200 seed=13 ;;
  6) rates=(8e-4 1e-5) minutes=85 interval=1600 seed=14 ;;
  7) rates=(1e-3 2e-5) minutes=75 interval=1500 seed=15 ;;  # piano_7/pieces.json: its pieces
  8) rates=(1e-3 2e-5) minutes=95 interval=2000 seed=16 ;;  # ran on to 120 minutes
  9) rates=(6e-4 2e-5) minutes=110 interval=2000 seed=17 ;;  # from the averages of 8
esac
fonts=/usr/share/sounds
exec python sf_experiment.py --preset reading --game_config game_configs/mutopia_lchs1.yaml \
  --train_set "$DATA/piano/train" --eval_set "$DATA/piano/valid" --ini_params "$2" --world all --keyboards_only \
  --world_fonts $fonts/sf2/TimGM6mb.sf2,$fonts/sf2/FluidR3_GM.sf2,$fonts/sf3/MuseScore_General_Lite.sf3 \
  --pieces_at_once 80 --optim_params "{lr: ${rates[0]}, betas: '(0.9, 0.99)', weight_decay: 1e-4}" --final_lr "${rates[1]}" \
  --augment 0 --threads 1 --checkpoint_minutes 5 --anneal_minutes $minutes --max_minutes $minutes \
  --eval_interval $interval --seed $seed --log_root "$RUNS/piano$1/logs" --param_root "$RUNS/piano$1/params"
