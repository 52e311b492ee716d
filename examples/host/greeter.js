// greeter.js -- answers, as long as it is there.
import { Far } from '@endo/far';

export const buildRootObject = () =>
    Far('greeter', {
        greet: name => `Hello, ${name}!`,
    });
harden(buildRootObject);
