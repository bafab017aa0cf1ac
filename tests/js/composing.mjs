// Run by tests/test_composer_js.py: what the composer makes of what it is given, for a comparison with the gateway.

import { text } from "node:stream/consumers";

import { fill } from "../../static/js/create/gaps.js";
import { promptLines } from "../../static/js/create/lines.js";
import { placed } from "../../static/js/create/picture.js";

const MAKES = { lines: promptLines, fill: ([template, values]) => fill(template, values), placed: ([image, size, fit]) => placed(image, size, fit) };

const { what, cases } = JSON.parse(await text(process.stdin));
process.stdout.write(JSON.stringify(cases.map(MAKES[what])));
