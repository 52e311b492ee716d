// What JavaScript makes of a text: one question per line on stdin, one answer per line on
// stdout, both in hex.
//
//   j TEXT   JSON.stringify(JSON.parse(TEXT))
//   u TEXT   the string TEXT stands for, as code units (four digits each)
//   f TEXT   the same string as it goes into a file or a database
//   s TEXT   JSON.stringify of the array TEXT stands for, sorted
//   d BITS   the double with these 64 bits, as text
//
// `!` in place of an answer: refused.
import { readFileSync } from 'node:fs';

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const read = (hex) => JSON.parse(utf8.decode(Buffer.from(hex, 'hex')));
const hex = (text) => Buffer.from(text, 'utf8').toString('hex');
const unit = (_, i, s) => s.charCodeAt(i).toString(16).padStart(4, '0');

const answers = {
  j: (q) => hex(JSON.stringify(read(q))),
  u: (q) => {
    const s = read(q);
    return Array.from({ length: s.length }, (_, i) => unit(_, i, s)).join('');
  },
  f: (q) => hex(read(q)),
  s: (q) => hex(JSON.stringify(read(q).sort())),
  d: (q) => hex(JSON.stringify(Buffer.from(q, 'hex').readDoubleBE())),
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
