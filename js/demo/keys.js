// keys.js -- a vat with as many vatstore keys as it is told to have.
import { Far } from '@endo/far';

export const buildRootObject = (_vatPowers, _vatParameters, baggage) => {
    let filled = 0;
    return Far('keys', {
        fill(count) {
            for (const end = filled + count; filled < end; filled += 1) {
                baggage.init(`key-${filled}`, filled);
            }
            return filled;
        },
        ping: () => 'pong',
    });
};
harden(buildRootObject);
