# coverage.awk -- branch coverage out of gcov's text.  Use: gcov -b -c -t FILES… | awk -f this
#
# A branch is one way a condition, a loop or a switch can go, as gcc compiles it without
# optimization; taken means taken at least once.  Left out are the branches of INVARIANT(…)
# and BUG(…), from the line of the name to the line of the closing ");": they can be taken
# only by a kernel that is wrong.  Nothing else is.

function close_file() {
    if (name != "" && all > 0) {
        printf "%7.2f %%  %5d of %5d branches  %7.2f %% of %5d lines  %s\n",
            100 * taken / all, taken, all, lines ? 100 * run / lines : 100, lines, name
        if (missing != "" && verbose) printf "%s", missing
    }
    total += all; total_taken += taken; total_lines += lines; total_run += run
    left_out += excluded
    all = taken = lines = run = excluded = 0
    missing = ""; exempt = 0
}

# "        5:   12:    if (x) {", "    #####:   13:…", "        -:    0:Source:src/…"
/^ *[0-9#=*-]+\*?: *[0-9]+:/ {
    match($0, /^ *[0-9#=*-]+\*?: */); count = substr($0, 1, RLENGTH); rest = substr($0, RLENGTH + 1)
    line = rest + 0; text = substr(rest, index(rest, ":") + 1)
    gsub(/[ :]/, "", count)
    if (line == 0) {
        if (text ~ /^Source:/) { close_file(); name = substr(text, 8); skip = name !~ only }
        if (skip) name = ""
        next
    }
    if (skip) next
    # An exemption that closed on the line before is over.
    if (exempt == 2) exempt = 0
    if (text ~ /(INVARIANT|BUG)\(/ && text !~ /^ *#/) exempt = 1
    if (exempt == 1 && text ~ /\);/) exempt = 2
    if (count != "-") { lines++; if (count !~ /^#|^=/) run++ }
    at = line; shown = text
    next
}
/^branch / && !skip {
    if (exempt) { excluded++; next }
    all++
    if ($3 == "taken" && $4 > 0) taken++
    else missing = missing sprintf("        %d: way %d: %s\n", at, $2, shown)
}
END {
    close_file()
    printf "\n%d branches in INVARIANT and BUG left out; lines run: %.2f %% of %d\n", left_out,
        total_lines ? 100 * total_run / total_lines : 0, total_lines
    printf "branch coverage: %.2f %% (%d of %d)\n", total ? 100 * total_taken / total : 0,
        total_taken, total
    exit total == 0 || 100 * total_taken / total < floor
}
