// The caller: every method is one thing that two vats do to each other.
import { E, Far } from '@endo/far';
import { makePromiseKit } from '@endo/promise-kit';

export const buildRootObject = (_powers, _parameters, baggage) => {
    let alice;
    const settle = p =>
        E.when(
            p,
            value => harden({ fulfilled: value }),
            reason => harden({ rejected: reason && reason.message ? reason.message : reason }),
        );

    return Far('root', {
        bootstrap(vats, _devices) {
            alice = vats.alice;
            baggage.init('calls', 0);
            return 'booted';
        },

        // every kind of value there and back
        echo: value => E(alice).echo(value),
        async values() {
            const values = harden([
                undefined,
                null,
                true,
                -0,
                1.5,
                1e21,
                NaN,
                Infinity,
                -Infinity,
                12345678901234567890n,
                -1n,
                '',
                '#hash',
                '!bang',
                'nul \u0000 tab \t quote " slash \\ 日本 😀',
                '\ud800 alone',
                { zebra: 1, apple: [2, { 10: 'ten', 9: 'nine' }] },
                Symbol.for('registered'),
                TypeError('wrong type'),
            ]);
            const back = await E(alice).echo(values);
            const again = await E(alice).echo(back);
            return harden([back.length, again.length, back[14], Object.keys(back[16].apple[1])]);
        },

        // results, pipelined: three messages leave in one crank
        async chain() {
            const box = E(alice).makeBox(3);
            const doubled = E(box).double();
            return harden([await E(doubled).read(), await E(box).read()]);
        },

        // messages to a promise that its decider keeps
        async early() {
            const box = E(alice).later();
            const first = E(box).read();
            const second = E(E(box).double()).read();
            const done = await E(alice).release(7);
            return harden([done, await first, await second]);
        },
        async earlyRejected() {
            const box = E(alice).later();
            const first = settle(E(box).read());
            await E(alice).refuse('not today');
            return first;
        },
        // messages to a promise that turns out to be data
        async dataTarget() {
            const box = E(alice).later();
            const first = settle(E(box).read());
            await E(alice).releaseValue(harden({ plain: 'data' }));
            return first;
        },

        // our promises, sent before they are settled
        async give() {
            const yes = makePromiseKit();
            const no = makePromiseKit();
            const both = E(alice).await(harden([yes.promise, no.promise]));
            yes.resolve('given');
            no.reject(Error('withheld'));
            return both;
        },
        // a promise for their promise, and a cycle of data
        async forward() {
            const kit = makePromiseKit();
            const answer = E(alice).await(harden([kit.promise]));
            kit.resolve(E(alice).makeBox(4));
            const [entry] = await answer;
            return E(entry.fulfilled).read();
        },
        async sameTwice() {
            const kit = makePromiseKit();
            const answer = E(alice).await(harden([kit.promise, kit.promise]));
            kit.resolve(harden({ same: kit.promise.then(() => 'later') }));
            const entries = await answer;
            return entries.length;
        },

        // our objects, called back
        async callback() {
            const seen = [];
            const listener = Far('listener', {
                tell(text) {
                    seen.push(text);
                    return seen.length;
                },
            });
            const total = await E(alice).tellThrice(listener);
            E.sendOnly(listener).tell('to myself');
            await null;
            return harden({ total, seen: [...seen] });
        },
        sendOnly: () => {
            E.sendOnly(alice).echo('nobody listens');
            return 'sent';
        },

        // what fails, and how
        fails: () => settle(E(alice).fail('on purpose')),
        failsRedacted: () => settle(E(alice).failRedacted('the secret')),
        failsWith: value => settle(E(alice).failWith(value)),
        noMethod: () => settle(E(alice).noSuchMethod(1, 2)),
        failToHost: () => E(alice).fail('seen by the host'),

        // virtual state, on both sides
        async keep(key, value) {
            baggage.set('calls', baggage.get('calls') + 1);
            await E(alice).keep(key, value);
            return baggage.get('calls');
        },
        kept: () => E(alice).kept(),
        collections: () => E(alice).collections(),
        makeBox: number => E(alice).makeBox(number),
        useBox: box => E(box).read(),
        loop: count => E(alice).countDown(count),
    });
};
harden(buildRootObject);
