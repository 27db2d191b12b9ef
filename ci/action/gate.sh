#!/usr/bin/env bash
# What the GitHub Action and the GitLab component do, a step a word:
#
#   gate.sh run       runs scenarios, or the tests of packages that run some, and leaves their reports in $OUT
#   gate.sh gate      decides, and leaves the decision as Markdown in $OUT/gate.md; 1 is red
#   gate.sh comment   puts that on the pull request in place of the last time's, or as a new note on the merge request
#
# SCENARIOS and PACKAGES say what is run, and one of them must be set. POLICY, BASELINE, REPEAT (1) and OUT (respawn-out) may be.
set -euo pipefail

OUT=${OUT:-respawn-out} REPEAT=${REPEAT:-1}
mark='<!-- respawn: the decision of the gate -->'

run() {
  rm -rf "$OUT"
  mkdir -p "$OUT"
  if [ -z "${SCENARIOS:-}${PACKAGES:-}" ]; then
    echo "neither scenarios nor packages: there is nothing to run" >&2
    return 2
  fi
  # What did not pass is for the gate to judge. Only the codes of a verdict pass: a mistake in a file (2), or no respawn at all
  # (127), ends the job here. A test that fails leaves its runs too, and one that does not compile leaves nothing: that is red.
  if [ -n "${SCENARIOS:-}" ]; then
    # shellcheck disable=SC2086 # they are words
    respawn run $SCENARIOS --short --repeat "$REPEAT" --out "$OUT" || case $? in 1 | 3 | 4 | 5) ;; *) return 1 ;; esac
  fi
  if [ -n "${PACKAGES:-}" ]; then
    # shellcheck disable=SC2086
    RESPAWN_OUT=$PWD/$OUT go test -count="$REPEAT" $PACKAGES || case $? in 1) ;; *) return 1 ;; esac
  fi
}

gate() {
  local args=("$OUT") code=0 summary=${GITHUB_STEP_SUMMARY:-} quiet=cat
  [ -z "${POLICY:-}" ] || args+=(--policy "$POLICY")
  [ ! -d "${BASELINE:-/nowhere}" ] || args+=(--baseline "$BASELINE")
  [ "${GITHUB_ACTIONS:-}" = true ] || quiet="grep -v ^::" # which nobody else understands
  mkdir -p "$OUT"
  printf '%s\n' "$mark" >"$OUT/gate.md"
  GITHUB_ACTIONS=true GITHUB_STEP_SUMMARY=$OUT/gate.md respawn gate "${args[@]}" --junit "$OUT/gate.xml" | $quiet || code=$?
  [ -z "$summary" ] || cat "$OUT/gate.md" >>"$summary"
  return "$code"
}

comment() {
  [ -s "$OUT/gate.md" ] || return 0
  if [ "${GITHUB_ACTIONS:-}" = true ]; then
    local number id repository=repos/${GITHUB_REPOSITORY:-}/issues
    number=$(sed -n 's,^refs/pull/\([0-9]*\)/.*,\1,p' <<<"${GITHUB_REF:-}")
    [ -n "$number" ] || { echo "no pull request: nothing to comment on"; return 0; }
    id=$(gh api "$repository/$number/comments" --paginate --jq ".[] | select(.body | startswith(\"$mark\")) | .id" | tail -n 1)
    if [ -n "$id" ]; then
      gh api --silent -X PATCH "$repository/comments/$id" -F "body=@$OUT/gate.md"
    else
      gh api --silent "$repository/$number/comments" -F "body=@$OUT/gate.md"
    fi
  elif [ -n "${CI_MERGE_REQUEST_IID:-}" ] && [ -n "${RESPAWN_TOKEN:-}" ]; then
    curl -fsS -o /dev/null -H "PRIVATE-TOKEN: $RESPAWN_TOKEN" --data-urlencode "body@$OUT/gate.md" \
      "$CI_API_V4_URL/projects/$CI_PROJECT_ID/merge_requests/$CI_MERGE_REQUEST_IID/notes"
  fi
}

case ${1:-} in
  run | gate | comment) "$1" ;;
  *) echo "usage: gate.sh run|gate|comment" >&2; exit 2 ;;
esac
