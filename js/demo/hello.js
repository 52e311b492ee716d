// hello.js -- the smallest swingset that says something: two vats, one question.
//
//   zygote run js/demo/hello.json
import { E, Far } from '@endo/far';

export const buildRootObject = () =>
    Far('root', {
        async bootstrap(roots) {
            const answer = await E(roots.echo).echo('hello');
            console.log(`echo answered: ${answer}`);
            return answer;
        },
    });
harden(buildRootObject);
