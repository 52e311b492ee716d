// What upstream makes of capdata and of names: one question per line on stdin, one answer
// per line on stdout, both in hex.
//
//   m CAPDATA   kser(kunser(CAPDATA)), as JSON
//   s CAPDATA   extractSingleSlot(CAPDATA), or nothing
//   e CAPDATA   extractMethod(CAPDATA)
//   v TEXT      parseVatSlot(TEXT): "object +"
//   k TEXT      parseKernelSlot(TEXT): "object"
//
// CAPDATA is the JSON of { body, slots }.  `!` in place of an answer: refused.  Of names
// those are refused as well whose numbers are not plain: ours are stricter there (ids.c).
//
// Not @endo/init/debug.js: there an error with a note "toString" is refused, since what
// goes into messages is printed.
import '@endo/init';

import { readFileSync } from 'node:fs';
import { kser, kunser } from '@agoric/kmarshal';
import { extractSingleSlot } from '@agoric/swingset-vat/src/lib/capdata.js';
import { extractMethod } from '@agoric/swingset-vat/src/lib/kdebug.js';
import { parseVatSlot } from '@agoric/swingset-vat/src/lib/parseVatSlots.js';
import { parseKernelSlot } from '@agoric/swingset-vat/src/kernel/parseKernelSlots.js';

const text = (hex) => Buffer.from(hex, 'hex').toString('utf8');
const hex = (s) => Buffer.from(JSON.stringify(s), 'utf8').toString('hex');

const N = '(0|[1-9][0-9]*)';
const plain = new RegExp(`^..[dv]?${N}(/${N})?(:${N})?$`);

const vatSlot = (s) => {
  const { type, allocatedByVat } = parseVatSlot(s);
  if (!plain.test(s) || s.length > 256) throw Error();
  return `${type} ${allocatedByVat ? '+' : '-'}`;
};

const kernelSlot = (s) => {
  const { type, id } = parseKernelSlot(s);
  if (!/^..(0|[1-9][0-9]*)$/.test(s) || id >= 1n << 63n) throw Error();
  return type;
};

const answers = {
  m: (q) => hex(kser(kunser(JSON.parse(text(q))))),
  s: (q) => hex(extractSingleSlot(JSON.parse(text(q))) ?? ''),
  e: (q) => hex(extractMethod(JSON.parse(text(q)))),
  v: (q) => hex(vatSlot(text(q))),
  k: (q) => hex(kernelSlot(text(q))),
};

const out = [];
for (const line of readFileSync(0, 'latin1').split('\n').slice(0, -1)) {
  try {
    out.push(answers[line[0]](line.slice(2)));
  } catch {
    out.push('!');
  }
}
process.stdout.write(out.join('\n') + '\n');
