#!/bin/sh
# Train a model on made-up ratings, let `ncf report` write its page, open that in a browser without a
# screen, light and dark, wide and as wide as a phone, and let tests/pictures/check.js use it; and so
# a page of 50,000 points. Skipped where there is no Chromium.
set -eu
build=${1:?usage: tests/report.sh BUILD}
chromium=$(command -v chromium || command -v chromium-browser || command -v google-chrome) || {
    echo "tests/report.sh: skipped, there is no chromium"
    exit 0
}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

# The films of the guide, of which three have titles that are hard to write; the third is Latin-1.
films() {
    awk -v what="$1" -f models/guide/films.awk
}
films ratings >"$folder/ratings.csv"
films titles | LC_ALL=C awk -F '\t' -v OFS='\t' '
    NR == 1 {$2 = "</script><script>document.title = \"broken\"</script>"}
    NR == 2 {$2 = "Salt & Pepper <1962> \"Director\047s cut\" \\"}
    NR == 3 {$2 = "Am\351lie et la for\352t"}
    {print}' >"$folder/titles"
"$build"/ncf train --data "$folder/ratings.csv" --titles "$folder/titles" --factors 8 --epochs 4 \
    --validation 0.1 --save "$folder/model" --quiet >/dev/null
"$build"/ncf report --load "$folder/model" --test "$folder/ratings.csv" --out "$folder/page.html"
"$build"/write-large >"$folder/large.html"

browse() { # SCHEME FILE: the page as it is when all is quiet
    scheme=1
    [ "$1" = dark ] && scheme=0
    timeout 120 "$chromium" --headless --no-sandbox --disable-gpu --no-first-run \
        --disable-background-networking --disable-component-update --disable-sync \
        --enable-logging=stderr \
        --user-data-dir="$folder/profile" --blink-settings=preferredColorScheme=$scheme \
        --window-size=1400,1000 --virtual-time-budget=20000 --dump-dom "file://$folder/$2"
}

# A browser window has a least width, a frame has none: the page is asked from a frame around it.
frame() { # SCHEME WIDTH PAGE
    cat <<HTML
<!DOCTYPE html><title>waiting</title><pre id="verdict">
no answer
</pre>
<iframe src="$3" style="width: $2px; height: 900px; border: 0"></iframe>
<script>
const frame = document.querySelector('iframe');
frame.addEventListener('load', () => setTimeout(() =>
    frame.contentWindow.postMessage({scheme: '$1', width: $2}, '*'), 500));
addEventListener('message', event => {
    const {failed, checks} = event.data;
    const verdict = checks > 50 ? failed.join('\\n') || 'as it should be' : checks + ' checks only';
    document.getElementById('verdict').textContent = '\\n' + verdict + '\\n';
});
</script>
HTML
}

status=0
check() { # SCHEME WIDTH PAGE
    frame "$1" "$2" "checked-$3" >"$folder/frame.html"
    browse "$1" frame.html >"$folder/dom" 2>"$folder/log" || true
    verdict=$(sed -n '/<pre id="verdict">/,/<\/pre>/p' "$folder/dom" | sed '1d; $d')
    console=$(grep CONSOLE "$folder/log" || true)
    [ "$verdict" = 'as it should be' ] && [ -z "$console" ] && return
    printf 'tests/report.sh: %s, %s, %s pixels wide:\n%s\n' "$3" "$1" "$2" \
        "${verdict:-the browser failed: $(tail -3 "$folder/log")} $console" >&2
    status=1
}

for page in page large; do
    awk 'FNR == NR {code = code $0 "\n"; next}
         {print} /<head>/ {printf "<script>\n%s</script>\n", code}' \
        tests/pictures/check.js "$folder/$page.html" >"$folder/checked-$page.html"
done
check light 1200 page.html
check dark 1200 page.html
check light 360 page.html
check dark 360 page.html
check light 1200 large.html
exit $status
