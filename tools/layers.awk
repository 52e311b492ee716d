# Who may include whom.
#
#   grep -rn '^ *# *include' --include='*.[ch]' src | awk -f tools/layers.awk
#
# base < store < kernel < worker < host < cli: a layer includes what is below it.  The
# engine, which is another program, includes base only.  The kernel reaches the world
# through its ports: no files, processes or clocks of its own.

BEGIN {
    n = split("base store kernel worker host cli", layers, " ")
    for (i = 1; i <= n; i++) {
        below = below " " layers[i]
        may[layers[i]] = below " "
    }
    may["engine"] = " base engine "

    only["sqlite3.h"] = "store"
    not_kernel["stdio.h"]; not_kernel["unistd.h"]; not_kernel["time.h"]
    not_kernel["fcntl.h"]
}

function refuse(what) {
    print file ":" line ": " what
    bad = 1
}

{
    seen++
    split($0, at, ":")
    file = at[1]
    line = at[2]
    depth = split(file, path, "/")
    layer = path[2]
    if (depth < 3 || !(layer in may)) {
        refuse("belongs to no layer")
        next
    }
    if (!match($0, /[<"][^>"]+[>"]/)) {
        refuse("an include that cannot be read")
        next
    }
    quoted = substr($0, RSTART, 1) == "\""
    header = substr($0, RSTART + 1, RLENGTH - 2)
    parts = split(header, to, "/")
    name = to[parts]

    if (header in only && only[header] != layer)
        refuse("only " only[header] "/ includes " header)
    if (name ~ /^xs[A-Za-z0-9]*\.h$/ && layer != "engine")
        refuse("only engine/ includes " header)
    if (layer == "kernel" && (header in not_kernel || header ~ /^sys\//))
        refuse("kernel/ may not include " header)
    if (header ~ /\.c$/)
        refuse("a .c file is not for including")
    if (quoted && parts > 1 && !index(may[layer], " " to[1] " "))
        refuse(layer "/ may not include " to[1] "/")
}

END {
    if (!seen) {
        print "layers.awk: no includes to check"
        bad = 1
    }
    exit bad
}
