// What JavaScript makes of a text: one question per line on stdin, one answer per line on
// stdout, both in hex.
//
//   j TEXT   JSON.stringify(JSON.parse(TEXT))
//   u TEXT   the string TEXT stands for, as code units (four digits each)
//   f TEXT   the same string as it goes into a file or a hash
//   r TEXT   the same string when its bytes, surrogates and all, were kept and are read
//   s TEXT   JSON.stringify of the array TEXT stands for, sorted
//   d BITS   the double with these 64 bits, as text
//
// `!` in place of an answer: refused.
import { readFileSync } from 'node:fs';

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const read = (hex) => JSON.parse(utf8.decode(Buffer.from(hex, 'hex')));
const hex = (text) => Buffer.from(text, 'utf8').toString('hex');
// As V8 hands strings to native code: of a lone surrogate, the bits of its number.
const bytes = (ch) => {
  const cp = ch.codePointAt(0);
  return cp >= 0xd800 && cp < 0xe000
    ? Buffer.from([0xe0 | (cp >> 12), 0x80 | ((cp >> 6) & 0x3f), 0x80 | (cp & 0x3f)])
    : Buffer.from(ch, 'utf8');
};
const wtf8 = (chars) => Buffer.concat(chars.map(bytes));
const unit = (_, i, s) => s.charCodeAt(i).toString(16).padStart(4, '0');

const answers = {
  j: (q) => hex(JSON.stringify(read(q))),
  u: (q) => {
    const s = read(q);
    return Array.from({ length: s.length }, (_, i) => unit(_, i, s)).join('');
  },
  f: (q) => hex(read(q)),
  r: (q) => hex(wtf8([...read(q)]).toString('utf8')),
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
