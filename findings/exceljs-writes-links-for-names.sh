#!/usr/bin/env bash
# exceljs 4.4.0 (npm): in CSV, a cell that is a link becomes the address that it leads to, one with a bold word becomes JSON, and a formula that gives 0 is empty.
#
# A workbook may give a text a link or a format (ECMA-376, Part 1, 18.3.1.47 "hyperlink" and 18.4.4 "r"): the value of the cell is the text all the same, and
# CSV has nothing but values. SheetJS, Gnumeric 1.12.55, xlsx2csv 0.8.6 and csvkit 2.2.0 write the text. A list of teams of which each leads to its page, or
# one name that somebody made bold in part, comes out of exceljs as other names. Its README, "Writing CSV", tells how to format values with `map`, and says
# nothing of links, formatted texts and results of 0; only in the list of changes (0.2.23) does it say that objects that it doesn't know become JSON. A plain
# 0 is kept.
#
# Seen (what is in the cell, by exceljs and by SheetJS 0.18.5 from the same workbook):
#   Support, a link to its page           https://intranet.example.com/support                                                  Support
#   Human Resources, in part bold         {"richText":[{"text":"Human "},{"font":{"bold":true},"text":"Resources"}]}            Human Resources
#   =3-3                                  (empty)                                                                               0
#   ann@example.com, a link               mailto:ann@example.com                                                                ann@example.com
#
# Rollcall reads such JSON as the text (domain/formulas.py) and "mailto:" as the address, and warns of groups that are links (looks-changed; domain/files/suspicions.py).
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm install --silent --no-audit --no-fund --prefix "$folder" exceljs@4.4.0 xlsx@0.18.5 >/dev/null 2>&1
cat >convert.js <<'NODE'
const ExcelJS = require("exceljs");
const XLSX = require("xlsx");

async function main() {
  const made = new ExcelJS.Workbook();
  made.addWorksheet("Teams").addRows([
    [{ text: "Support", hyperlink: "https://intranet.example.com/support" }],
    [{ richText: [{ text: "Human " }, { font: { bold: true }, text: "Resources" }] }],
    [{ formula: "3-3", result: 0 }],
    [{ text: "ann@example.com", hyperlink: "mailto:ann@example.com" }],
    [0],
  ]);
  await made.xlsx.writeFile("teams.xlsx");
  const read = new ExcelJS.Workbook();
  await read.xlsx.readFile("teams.xlsx");
  const lines = (await read.csv.writeBuffer()).toString().split("\n");
  const sheet = XLSX.utils.sheet_to_csv(XLSX.readFile("teams.xlsx").Sheets.Teams).split("\n");
  lines.forEach((line, at) => console.log(`${line} | ${sheet[at]}`));
  const expected = [
    "https://intranet.example.com/support | Support",
    '"{""richText"":[{""text"":""Human ""},{""font"":{""bold"":true},""text"":""Resources""}]}" | Human Resources',
    " | 0",
    "mailto:ann@example.com | ann@example.com",
    "0 | 0",
  ];
  const same = expected.every((line, at) => line === `${lines[at]} | ${sheet[at]}`);
  if (!same) throw new Error("exceljs or SheetJS behaves otherwise now");
}

main().catch((error) => {
  console.error(error.message);
  process.exit(1);
});
NODE
node convert.js
