// json-oracle.mjs -- what JavaScript makes of bytes, for tests of our own JSON code.
//
// usage: node tests/oracle/json-oracle.mjs json|kmarshal < LINES
//
// One question per line, in hex; one answer per line, in hex or `error`, at once.
//
//   json        JSON.stringify(JSON.parse(text))
//   kmarshal    { body, slots }, decoded and encoded again as the kernel does
//
// The text is UTF-8; what is not is refused.
import '@endo/init/debug.js';
import readline from 'node:readline';
import { kser, kunser } from '@agoric/kmarshal';

const modes = {
    json: value => value,
    kmarshal: capdata => kser(kunser(harden(capdata))),
};

const mode = modes[process.argv[2]];
if (!mode) {
    console.error('usage: node tests/oracle/json-oracle.mjs json|kmarshal');
    process.exit(2);
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const answer = line => {
    try {
        const value = JSON.parse(utf8.decode(Buffer.from(line.trim(), 'hex')));
        return Buffer.from(JSON.stringify(mode(value)), 'utf8').toString('hex');
    } catch (e) {
        return 'error';
    }
};

for await (const line of readline.createInterface({ input: process.stdin })) {
    process.stdout.write(`${answer(line)}\n`);
}
