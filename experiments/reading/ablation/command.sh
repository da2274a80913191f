#!/usr/bin/env bash
# DATA: folder of the data sets, RUNS: of the runs; in the root of the repository
D=$DATA/nottingham; F=/usr/share/sounds
all=(timing instruments tuning rooms gain noise coding sheets)
run() {  # NAME OPTIONS...
  python sf_experiment.py --preset reading --game_config game_configs/nottingham_reading.yaml --train_set $D/nottingham_train --eval_set $D/nottingham_valid \
    --ini_params reading --optim_params "{lr: 1.0e-3, betas: '(0.9, 0.99)', weight_decay: 1e-4}" --max_updates 600 --anneal_steps 115200 --eval_interval 600 --threads 1 --seed 1 --log_root $RUNS/ablation/$1/logs --param_root $RUNS/ablation/$1/params "${@:2}" > $RUNS/ablation/$1.log 2>&1
}
mkdir -p $RUNS/ablation
world=(--pieces_at_once 187 --augment 0 --world_fonts $F/sf2/TimGM6mb.sf2,$F/sf2/FluidR3_GM.sf2,$F/sf3/MuseScore_General_Lite.sf3)
run all "${world[@]}" --world all
run none --augment 0
for without in ${all[@]}; do
  rest=$(printf '%s\n' ${all[@]} | grep -v "^$without$" | paste -sd,)
  run without_$without "${world[@]}" --world $rest
done
