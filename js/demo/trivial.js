// trivial.js -- the smallest useful vat: one Far object that answers.
import { Far } from '@endo/far';

export const buildRootObject = () =>
    Far('trivial', {
        ping: () => 'pong',
        echo: value => value,
    });
harden(buildRootObject);
