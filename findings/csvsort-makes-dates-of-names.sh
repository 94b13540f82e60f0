#!/usr/bin/env bash
# csvkit 2.2.0 (PyPI): sorting a file by its addresses renames its groups: "Monday" becomes 0001-01-05, "5m" 0:05:00, and "next week" another date each day.
#
# csvsort guesses the type of every column, also of those that it doesn't sort by, and writes the values as it understood them. If all values of a
# column are words for times, however loosely, they are dates: names of months and weekdays in the year 1, "next week" counted from today, "5m" a
# duration; "Yes" and "No" become True and False. RFC 4180 knows no types, and a reader who sorts lines expects the same lines. If one value of the
# column is no time, all stay as they are, so that a file with one more group isn't changed. The option --no-inference prevents it; the documentation of
# that option says that types are inferred, but not that values are rewritten.
#
# Seen (csvsort -c Email):
#   Monday, Friday           0001-01-08, 0001-01-05
#   Monday, Friday, Staff    Monday, Friday, Staff
#   March, May               0001-03-01, 0001-05-01
#   5m, 10m                  0:05:00, 0:10:00
#   Yes, No                  True, False
#
# Rollcall warns of group names in such forms (looks-changed; domain/naming.py).
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check 'csvkit==2.2.0' 'agate==1.14.2' 2>/dev/null
sorted() {
  { echo Groupname,Email; for name in "$@"; do echo "$name,user$((number++))@example.com"; done; } >groups.csv
  venv/bin/csvsort -c Email groups.csv | tail -n +2 | cut -d, -f1 | paste -sd' '
}
number=1
seen=$(sorted Monday Friday; sorted Monday Friday Staff; sorted March May; sorted 5m 10m; sorted Yes No)
echo "$seen"
[ "$seen" = "0001-01-08 0001-01-05
Monday Friday Staff
0001-03-01 0001-05-01
0:05:00 0:10:00
True False" ] || { echo "csvkit behaves otherwise now." >&2; exit 1; }
