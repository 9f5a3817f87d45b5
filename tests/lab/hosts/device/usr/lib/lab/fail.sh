# Sourced by every stand-in: the failure that a test asked for (`lab fail`), else nothing.
lab_fail() { # PROGRAM ARGUMENTS
  lab_file=/var/lib/lab/fail/$1
  shift
  [ -e "$lab_file" ] || return 0
  . "$lab_file"
  case "$*" in *"$MATCH"*) ;; *) return 0 ;; esac
  CALLS=$((CALLS + 1))
  { sed "s/^CALLS=.*/CALLS=$CALLS/" "$lab_file" > "$lab_file.new" && mv "$lab_file.new" "$lab_file"; } 2>/dev/null || true
  [ "$CALLS" -gt "$AFTER" ] || return 0
  [ "$TIMES" -eq 0 ] || [ "$CALLS" -le $((AFTER + TIMES)) ] || return 0
  cat "$lab_file.message" >&2
  exit "$CODE"
}
