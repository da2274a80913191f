\version "2.24.0"
%% Settings that LilyPond loads in addition to the score. They log the time and pitch of every notehead, give each notehead and
%% each staff symbol an id in the SVG, and add a MIDI to every printed score. log.py reads the log, pages.py the ids.
#(ly:set-option 'point-and-click #f)

%% The SVG backend searches the whole font file for each glyph. Caching the results halves the time per page.
#(define (sfg-cache! name key)
  (let* ((module (resolve-module '(lily output-svg) #:ensure #f))
         (variable (and module (module-variable module name))))
   (if variable
    (let ((search (variable-ref variable)) (found (make-hash-table)))
     (variable-set! variable
      (lambda arguments
       (let ((k (key arguments)))
        (or (hash-ref found k)
         (let ((result (apply search arguments))) (hash-set! found k result) result)))))))))
#(sfg-cache! 'extract-glyph (lambda (arguments) (cons (string-length (car arguments)) (cdr arguments))))
#(sfg-cache! 'svg-defs (lambda (arguments) (string-length (car arguments))))

#(define sfg-log (open-file (getenv "SFG_LOG") "w"))
#(define sfg-scores 0)
#(define sfg-heads 0)
#(define sfg-staves 0)

%% Systems are numbered when their grobs are drawn, which happens in reading order.
#(define sfg-system-numbers (make-hash-table))
#(define sfg-systems 0)
#(define (sfg-system grob)
  (let ((system (ly:grob-system grob)))
   (if (not (ly:grob? system)) -1
    (or (hashq-ref sfg-system-numbers system)
     (begin
      (set! sfg-systems (1+ sfg-systems))
      (hashq-set! sfg-system-numbers system sfg-systems)
      sfg-systems)))))
#(define (sfg-mark! grob kind number)
  (ly:grob-set-property! grob 'output-attributes
   (lambda (drawn) (list (cons 'id (format #f "sfg-~a-~a-~a" kind number (sfg-system drawn)))))))

%% A staff without any notehead is not printed. In old files a \tempo outside of all staves makes one. The staves of
%% a PianoStaff would keep each other alive.
#(define (sfg-remove! group)
  (ly:grob-set-property! group 'remove-empty #t)
  (ly:grob-set-property! group 'remove-first #t)
  (ly:grob-set-object! group 'keep-alive-with '()))

%% Where in which bar the number of a head just logged is. Grace notes are left out: they are not at a beat.
#(define (sfg-log-place context now)
  (let ((bar (ly:context-property context 'currentBarNumber #f))
        (position (ly:context-property context 'measurePosition #f))
        (meter (ly:context-property context 'timeSignatureFraction #f)))
   (if (and (integer? bar) (ly:moment? position) (pair? meter) (zero? (ly:moment-grace now)))
    (format sfg-log "place ~a ~a ~a ~a ~a\n" sfg-heads bar (ly:moment-main position) (car meter) (cdr meter)))))

%% A transposing instrument (\transposition) sounds so many semitones higher than its heads say.
#(define (sfg-transposition context)
  (let ((pitch (ly:context-property context 'instrumentTransposition #f)))
   (if (ly:pitch? pitch) (ly:pitch-semitones pitch) 0)))

%% What tells that the head just logged is not played: its shape, and that it is a cue.
#(define (sfg-log-shape grob context)
  (let ((style (ly:grob-property grob 'style #f)))
   (if (symbol? style) (format sfg-log "shape ~a ~a\n" sfg-heads style))
   (if (ly:context-find context 'CueVoice) (format sfg-log "cue ~a\n" sfg-heads))))

#(define (sfg-engraver context)
  (let ((score sfg-scores) (numbers (make-hash-table)) (groups '()) (used (make-hash-table)))
   (set! sfg-scores (1+ sfg-scores))
   (make-engraver
    (acknowledgers
     ((note-head-interface engraver grob source)
      (let* ((event (event-cause grob))
             (pitch (and event (ly:event-property event 'pitch)))
             (now (ly:context-current-moment context))
             (staff (ly:context-find (ly:translator-context source) 'Staff)))
       (if staff (hashq-set! used staff #t))
       (if (ly:pitch? pitch)
        (begin
         (set! sfg-heads (1+ sfg-heads))
         (hashq-set! numbers grob sfg-heads)
         (sfg-mark! grob "head" sfg-heads)
         (format sfg-log "head ~a ~a ~a ~a ~a\n" score sfg-heads (ly:moment-main now) (ly:moment-grace now)
          (+ 60 (ly:pitch-semitones pitch) (sfg-transposition (ly:translator-context source))))
         (sfg-log-place context now)
         (sfg-log-shape grob (ly:translator-context source))))))
     ((hara-kiri-group-spanner-interface engraver grob source)
      (let ((staff (ly:translator-context source)))
       (if (eq? 'Staff (ly:context-name staff)) (set! groups (cons (cons grob staff) groups)))))
     ((staff-symbol-interface engraver grob source)
      (set! sfg-staves (1+ sfg-staves))
      (sfg-mark! grob "staff" sfg-staves)
      (format sfg-log "staff ~a ~a\n" score sfg-staves)))
    (end-acknowledgers
     ((tie-interface engraver grob source)
      (let* ((right (ly:spanner-bound grob RIGHT))
             (number (and (ly:grob? right) (hashq-ref numbers right))))
       (if number (format sfg-log "tied ~a\n" number)))))
    ((finalize engraver)
     (for-each (lambda (group) (if (not (hashq-ref used (cdr group))) (sfg-remove! (car group)))) groups)
     (force-output sfg-log)))))
\layout { \context { \Score \consists #sfg-engraver } }
%% Chord symbols have no heads.
\midi { \context { \ChordNames \remove "Note_performer" } }

%% Abbreviations (tremolo and percent repeats, strokes) are always written out. If SFG_REPEATS is "written" all repeats are, in print and
%% sound. A repeat must then be in all simultaneous music that has notes; one that is not is logged.
#(define sfg-written (equal? (getenv "SFG_REPEATS") "written"))
#(define (sfg-length music) (ly:moment-main (ly:music-length music)))
#(define (sfg-parts music)
  (let ((element (ly:music-property music 'element)))
   (append (if (ly:music? element) (list element) '()) (ly:music-property music 'elements))))
#(define (sfg-together? music) (music-is-of-type? music 'simultaneous-music))
%% ((start length times) ...) of the repeats in music that starts at a time, in whole notes.
#(define (sfg-repeats music start)
  (let ((own (if (or (music-is-of-type? music 'volta-repeated-music) (music-is-of-type? music 'segno-repeated-music))
              (list (list start (sfg-length music) (ly:music-property music 'repeat-count))) '())))
   (if (music-is-of-type? music 'event-chord) '()
    (let next ((parts (sfg-parts music)) (now start) (found own))
     (if (null? parts) (delete-duplicates found)
      (next (cdr parts) (if (sfg-together? music) now (+ now (sfg-length (car parts))))
       (append found (sfg-repeats (car parts) now))))))))
#(define (sfg-notes? music) (or (music-is-of-type? music 'note-event) (any sfg-notes? (sfg-parts music))))
#(define (sfg-check-repeats music)
  (if (sfg-together? music)
   (let ((all (sfg-repeats music 0)))
    (for-each
     (lambda (part)
      (let ((own (sfg-repeats part 0)))
       (for-each
        (lambda (repeat)
         (if (and (< (car repeat) (sfg-length part)) (not (member repeat own)))
          (format sfg-log "uneven ~a\n" (car repeat))))
        all)))
     (if (null? all) '() (filter sfg-notes? (sfg-parts music))))))
  (if (not (music-is-of-type? music 'event-chord)) (for-each sfg-check-repeats (sfg-parts music))))
%% Strokes through stems (c'2:16) are written out by the rules of repetition.py, which LilyPond plays as one held note.
#(define (sfg-events music)
  (append (ly:music-property music 'elements) (ly:music-property music 'articulations)))
#(define (sfg-struck? music)
  (or (music-is-of-type? music 'event-chord) (music-is-of-type? music 'note-event)))
#(define (sfg-note music)
  (if (music-is-of-type? music 'note-event) music
   (find (lambda (event) (music-is-of-type? event 'note-event)) (ly:music-property music 'elements))))
#(define (sfg-tremolo music)
  (and (sfg-struck? music) (sfg-note music)
   (find (lambda (event) (music-is-of-type? event 'tremolo-event)) (sfg-events music))))
#(define sfg-most-flags 3)
%% The duration between two strokes of a note; #f if they are no shorter than the note, or do not fit into it.
#(define (sfg-stroke music)
  (let* ((tremolo (sfg-tremolo music))
         (type (if tremolo (ly:music-property tremolo 'tremolo-type #f) #f))
         (duration (if tremolo (ly:music-property (sfg-note music) 'duration #f) #f)))
   (and (integer? type) (>= type 8) (ly:duration? duration)
    (let* ((flags (max 0 (- (ly:duration-log duration) 2)))
           (stroke-flags (min (- (ly:intlog2 type) 2) (max sfg-most-flags flags)))
           (stroke (ly:make-duration (+ 2 stroke-flags) 0 (ly:duration-scale duration)))
           (count (/ (sfg-duration duration) (sfg-duration stroke))))
     (and (integer? count) (> count 1) (cons stroke count))))))
#(define (sfg-duration duration) (ly:moment-main (ly:duration-length duration)))
#(define (sfg-without wanted? music)
  (for-each
   (lambda (name)
    (let ((events (ly:music-property music name)))
     (if (pair? events)
      (set! (ly:music-property music name)
       (map (lambda (event) (sfg-without wanted? event)) (remove wanted? events))))))
   '(elements articulations))
  music)
#(define (sfg-tie? event) (music-is-of-type? event 'tie-event))
%% Ties, and the ends of slurs, beams and hairpins, belong to the last stroke; everything else to the first.
#(define (sfg-ending? event) (or (sfg-tie? event) (eqv? STOP (ly:music-property event 'span-direction #f))))
#(define (sfg-beginning? event) (not (or (music-is-of-type? event 'note-event) (sfg-ending? event))))
#(define (sfg-written-out music)
  (let ((stroke (sfg-stroke music)))
   (if (not stroke) (list music)
    (let ((plain (sfg-without (lambda (event) (music-is-of-type? event 'tremolo-event)) music)) (count (cdr stroke)))
     (map
      (lambda (place)
       (let ((copy (ly:music-deep-copy plain)))
        (if (> place 0) (sfg-without sfg-beginning? copy))
        (if (< place (1- count)) (sfg-without sfg-ending? copy))
        (map-some-music
         (lambda (part)
          (and (ly:duration? (ly:music-property part 'duration #f))
           (begin
            (set! (ly:music-property part 'duration) (car stroke))
            (set! (ly:music-property part 'length) '())
            part)))
         copy)))
      (iota count))))))
%% A note with strokes is struck also where a tie leads to it.
#(define (sfg-untied elements)
  (fold-right
   (lambda (music rest)
    (let ((next (find sfg-struck? rest)))
     (cons (if (and (sfg-struck? music) next (sfg-stroke next)) (sfg-without sfg-tie? music) music) rest)))
   '() elements))
#(define (sfg-strokes! music)
  (if (sfg-struck? music)
   (let ((written (sfg-written-out music)))
    (if (null? (cdr written)) music (make-music 'SequentialMusic 'elements written)))
   (let ((element (ly:music-property music 'element)) (elements (ly:music-property music 'elements)))
    (if (ly:music? element) (set! (ly:music-property music 'element) (sfg-strokes! element)))
    (if (pair? elements)
     (set! (ly:music-property music 'elements)
      (map sfg-strokes! (if (music-is-of-type? music 'sequential-music) (sfg-untied elements) elements))))
    music)))
%% LilyPond keeps the length of music that it has measured, which unfolding changes.
#(define (sfg-forget-length! music)
  (if (procedure? (ly:music-property music 'length-callback)) (set! (ly:music-property music 'length) '()))
  music)
#(define (sfg-unfold score)
  (let* ((music (ly:score-music score))
         (unfolded
          (if sfg-written
           (begin (sfg-check-repeats music) (unfold-repeats '() music))
           (unfold-repeats 'percent (unfold-repeats 'tremolo music))))
         (new (ly:make-score (music-map sfg-forget-length! (sfg-strokes! unfolded)))))
   (for-each (lambda (definition) (ly:score-add-output-def! new definition)) (reverse (ly:score-output-defs score)))
   (if (module? (ly:score-header score)) (ly:score-set-header! new (ly:score-header score)))
   new))

%% A score that is printed but not played gets a MIDI block. A score that is only played gets a title in its MIDI, by which
%% tempi.py knows it; the printed score takes over its tempi. A tempo in its MIDI block is taken over here, since there may be
%% music that differs.
#(define sfg-midi-without-tempo #f)
#(define sfg-tempo-source #f)
#(define (sfg-midi? definition) (eq? 'midi (ly:output-def-lookup definition 'output-def-kind)))
#(define (sfg-copy-tempo! from to)
  (let ((settings (ly:output-def-lookup from 'Score #f)))
   (if settings (ly:output-def-set-variable! to 'Score settings))))
#(define (sfg-name! score title)
  (let ((header (make-module)))
   (module-define! header 'midititle title)
   (ly:score-set-header! score header)))
#(define (sfg-add-midi! score)
  (let ((midi (ly:output-def-clone (ly:parser-lookup '$defaultmidi))))
   (if sfg-tempo-source
    (begin (sfg-copy-tempo! sfg-tempo-source midi) (set! sfg-tempo-source #f))
    (set! sfg-midi-without-tempo midi))
   (ly:score-add-output-def! score midi)))
#(define (sfg-take-score given add)
  (let* ((score (if (ly:score? given) (sfg-unfold given) given))
         (definitions (if (ly:score? score) (ly:score-output-defs score) '()))
         (played (filter sfg-midi? definitions))
         (printed (filter (lambda (definition) (not (sfg-midi? definition))) definitions)))
   (cond
    ((not (ly:score? score)) (add score))
    ((and (pair? played) (null? printed))
     (if sfg-midi-without-tempo
      (begin (sfg-copy-tempo! (car played) sfg-midi-without-tempo) (set! sfg-midi-without-tempo #f))
      (set! sfg-tempo-source (car played)))
     (sfg-name! score "sfg-played")
     (add score))
    (else
     (if (null? played)
      (begin
       (if (null? printed) (ly:score-add-output-def! score (ly:output-def-clone (ly:parser-lookup '$defaultlayout))))
       (sfg-add-midi! score)))
     (add score)))))
#(define toplevel-score-handler (lambda (score) (sfg-take-score score collect-scores-for-book)))
#(define book-score-handler (lambda (book score) (sfg-take-score score (lambda (s) (ly:book-add-score! book s)))))
#(define bookpart-score-handler book-score-handler)
%% Music without a \score block.
#(define toplevel-music-handler (lambda (music) (toplevel-score-handler (scorify-music music))))
#(define book-music-handler (lambda (book music) (book-score-handler book (scorify-music music))))
#(define bookpart-music-handler book-music-handler)

%% Commands of old versions that convert-ly does not convert.
#(define (override-auto-beam-setting . ignored) (make-music 'SequentialMusic 'elements '()))
#(define (revert-auto-beam-setting . ignored) (make-music 'SequentialMusic 'elements '()))
